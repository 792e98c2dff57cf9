"""A package index on loopback: the simple repository interface (PEP 503) over files held in memory."""

import hashlib
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class LocalIndex:
    """Offers the archives of one package until it is stopped.

    Attributes:
        url: what pip would be given as index-url.
    """

    def __init__(self, package: str, archives: Mapping[str, bytes], announced: bool) -> None:
        """Start to listen.

        Args:
            archives: name of each file → its bytes.
            announced: whether the page names the hashes, as published indexes do.
        """

        def link(name: str, content: bytes) -> str:
            digest = f"#sha256={hashlib.sha256(content).hexdigest()}" if announced else ""
            return f'<a href="/files/{name}{digest}">{name}</a>'

        page = "<!DOCTYPE html><html><body>" + "".join(link(*archive) for archive in archives.items())
        pages = {f"/simple/{package}/": page.encode()} | {f"/files/{name}": data for name, data in archives.items()}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = pages.get(unquote(self.path))
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Type", "text/html" if self.path.startswith("/simple") else "application/zip")
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
