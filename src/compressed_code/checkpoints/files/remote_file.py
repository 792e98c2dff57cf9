"""A file on a server, had by byte ranges (RFC 9110, section 14) as they are needed.

Ranges announced with `prefetch` are gathered, joined with their neighbours and sent as few requests as soon as the next
bytes are read; they arrive in the background while the caller computes. Bytes are kept until they are released.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import PurePath

import numpy as np

from compressed_code.core.errors import InputError, Unavailable

# The longest request, in bytes: takes much longer than a round trip, and leaves work for every connection.
PARCEL = 16 << 20
# Ranges this close to each other, in bytes, are fetched together with what lies between: cheaper than a round trip.
GAP = 128 << 10
CONNECTIONS = 4
# Seconds to wait before the second attempt, the third, and so on.
WAITS = (1.0, 2.0, 4.0, 8.0)
# The longest that a server is obeyed which says when to come again (Retry-After), in seconds.
LONGEST_WAIT = 60.0
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
# What a server of signed addresses answers when one has run out.
EXPIRED = frozenset({401, 403, 404, 410})

Span = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """Where a file is at the moment.

    Attributes:
        url: of its bytes.
        size: its length in bytes.
        headers: to send along, for example who is asking.
    """

    url: str
    size: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Transfers:
    """The requests of all files of one checkpoint, a few at a time. The first that fails for good ends all of them."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._failure: Unavailable | None = None
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        self._announcing: list[RemoteFile] = []

    def announce(self, file: "RemoteFile") -> None:
        """Remember that a file has ranges to send."""
        if file not in self._announcing:
            self._announcing.append(file)

    def send(self) -> None:
        """Send what all files have announced."""
        files, self._announcing = self._announcing, []
        for file in files:
            file.send()

    def start(self, fetch: Callable[[], np.ndarray]) -> "Future[np.ndarray]":
        """Run one request in the background. The thread is a daemon, so that none holds up the end of the program."""
        future: Future[np.ndarray] = Future()
        threading.Thread(target=self._run, args=(fetch, future), daemon=True).start()
        return future

    def result(self, future: "Future[np.ndarray]") -> np.ndarray:
        """Wait for a request.

        Raises:
            Unavailable: it failed, or an earlier one did.
        """
        try:
            return future.result()
        except Unavailable as error:
            raise self._failure or error from None

    def _run(self, fetch: Callable[[], np.ndarray], future: "Future[np.ndarray]") -> None:
        with self._slots:
            try:
                future.set_result(fetch())
            except Unavailable as error:
                self._failure = self._failure or error
                self.ended.set()
                future.set_exception(error)
            except BaseException as error:  # a mistake in here must not leave the reader waiting for ever
                future.set_exception(error)


@dataclass
class _Piece:
    """Bytes `start … stop` of one request; `wanted` are the parts asked for that have not been released."""

    start: int
    stop: int
    wanted: list[Span]
    content: "Future[np.ndarray]"


class _ComeAgain(ConnectionError):
    """A server that may deliver later; `seconds` is how long to wait at least, as it says (RFC 9110, 10.2.3)."""

    def __init__(self, words: str, retry_after: str) -> None:
        super().__init__(words)
        self.seconds = min(float(retry_after), LONGEST_WAIT) if retry_after.isdecimal() else 0.0


class RemoteFile:
    """A file on a server; the interface is `stored.TensorFile`.

    Attributes:
        path: as messages name it.
        size: its length in bytes.
        bytes_read: bytes asked for so far; a byte asked for twice counts twice.
        prefetch_step: bytes that one request should have.
    """

    def __init__(self, path: PurePath, locate: Callable[[], Place], transfers: Transfers) -> None:
        """Locate the file; nothing of it is fetched yet.

        Args:
            path: as messages name it.
            locate: where it is now; asked again when a signed address has run out. May raise `Unavailable`.
            transfers: shared by the files of one checkpoint.
        """
        self.path = path
        self.prefetch_step = PARCEL
        self.bytes_read = 0
        self._locate, self._transfers = locate, transfers
        self._place = locate()
        self.size = self._place.size
        self._announced: list[Span] = []
        self._pieces: list[_Piece] = []

    def view(self, offset: int, length: int) -> np.ndarray:
        """Bytes `offset … offset + length` as uint8, a copy. Waits for them; what was announced is sent, too.

        Raises:
            InputError: the file ends before that.
            Unavailable: the server did not deliver, several times, or does not know ranges.
        """
        stop = offset + length
        if offset < 0 or length < 0 or stop > self.size:
            raise InputError(
                f"{self.path}: truncated: {stop:,} bytes needed, {self.size:,} are there"
                "; report it to the model's authors, or name another"
            )
        self.bytes_read += length
        self._request(self._unknown(offset, stop))  # first: somebody waits for it
        self._transfers.send()
        result = np.empty(length, np.uint8)
        for piece in self._pieces:
            first, last = max(offset, piece.start), min(stop, piece.stop)
            if first < last:
                content = self._transfers.result(piece.content)
                result[first - offset : last - offset] = content[first - piece.start : last - piece.start]
        return result

    def prefetch(self, offset: int, length: int) -> None:
        """Announce a range, as far as there is one; it is sent with others when the next bytes are read."""
        self._announced += self._unknown(offset, min(offset + length, self.size))
        if self._announced:
            self._transfers.announce(self)

    def release(self, offset: int, length: int) -> None:
        """Forget a range; a request's memory is free when nothing of it is wanted any more."""
        for piece in self._pieces:
            piece.wanted = without(piece.wanted, (offset, offset + length))
        self._pieces = [piece for piece in self._pieces if piece.wanted]

    def send(self) -> None:
        """Request what has been announced."""
        announced, self._announced = sorted(self._announced), []
        self._request(announced)

    def _unknown(self, start: int, stop: int) -> list[Span]:
        """Parts of a range that are neither announced nor requested."""
        spans = [(start, stop)] if start < stop else []
        for known in (*self._announced, *((piece.start, piece.stop) for piece in self._pieces)):
            spans = without(spans, known)
        return spans

    def _request(self, spans: list[Span]) -> None:
        for start, stop in cut(joined(spans, GAP), PARCEL):
            wanted = [(max(start, first), min(stop, last)) for first, last in spans if first < stop and last > start]
            content = self._transfers.start(partial(self._fetch, start, stop))
            self._pieces.append(_Piece(start, stop, wanted, content))

    def _fetch(self, start: int, stop: int) -> np.ndarray:
        """Bytes `start … stop`; an answer that breaks off is taken up where it ended. Runs in the background."""
        from huggingface_hub.errors import HTTPError

        content = np.empty(stop - start, np.uint8)
        done, problem, told = 0, "another request failed", 0.0
        for wait in (0.0, *WAITS):
            if self._transfers.ended.wait(max(wait, told)):
                break
            told = 0.0
            try:
                for chunk in self._answer(start + done, stop):
                    content[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
                    done += len(chunk)
            except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError: a connection closed by its owner
                problem = " ".join(f"{type(error).__name__}: {error}".split())
                told = error.seconds if isinstance(error, _ComeAgain) else 0.0
            else:
                problem = f"the answer ended after {done:,} of {len(content):,} bytes"
            if done == len(content):
                return content
        raise Unavailable(
            f"{self.path}: bytes {start:,} to {stop:,} could not be fetched ({problem}); "
            "run again later, or download the checkpoint and give its folder"
        )

    def _answer(self, start: int, stop: int) -> Iterator[bytes]:
        """The body of one answer, never more than was asked for.

        Raises:
            Unavailable: the server does not know ranges, or has another file now.
            OSError, or an error of the HTTP library: trying again may help.
        """
        from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
        from huggingface_hub.utils import get_session

        # Compressed, the answer would be another file, and some servers then ignore the range.
        headers = {**self._place.headers, "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        with get_session().stream("GET", self._place.url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT) as answer:
            if answer.status_code in EXPIRED:
                self._place = self._locate()
            if answer.status_code in EXPIRED | TRANSIENT:
                raise _ComeAgain(f"status {answer.status_code}", answer.headers.get("Retry-After", ""))
            delivered = answer.headers.get("Content-Range", "")
            if answer.status_code != 206 or not delivered.startswith(f"bytes {start}-"):
                raise Unavailable(
                    f"{self.path}: the server does not deliver ranges of files (status {answer.status_code}); "
                    "download the checkpoint and give its folder"
                )
            if not delivered.endswith((f"/{self.size}", "/*")):
                raise Unavailable(f"{self.path}: the file on the server has changed; run again")
            missing = stop - start
            for chunk in answer.iter_raw():
                yield chunk[:missing]
                missing -= len(chunk)
                if missing < 0:  # at 0 the loop must end by itself, or the connection cannot be used again
                    return


def joined(spans: list[Span], gap: int) -> list[Span]:
    """Sorted spans, those at most `gap` apart made one."""
    result: list[Span] = []
    for start, stop in spans:
        if result and start - result[-1][1] <= gap:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return result


def cut(spans: list[Span], longest: int) -> list[Span]:
    """Spans of at most `longest` bytes: each is cut into parts of about the same length."""
    result = []
    for start, stop in spans:
        parts = -(-(stop - start) // longest)
        edges = [start + (stop - start) * part // parts for part in range(parts + 1)]
        result += pairwise(edges)
    return result


def without(spans: list[Span], removed: Span) -> list[Span]:
    """What of some spans lies outside of another."""
    return [
        part
        for start, stop in spans
        for part in ((start, min(stop, removed[0])), (max(start, removed[1]), stop))
        if part[0] < part[1]
    ]
