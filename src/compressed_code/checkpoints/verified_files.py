"""Downloaded files against the hashes that the Hub lists for their commit.

huggingface_hub compares lengths only. What git-lfs holds is listed with its sha256, every other file with git's id of
its content: sha1 of `blob LENGTH`, a zero byte and the content (Git Internals, Git Objects).
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from compressed_code.checkpoints.hub_access import FIRST_ANSWER, one_line
from compressed_code.core.digests import file_digest
from compressed_code.core.errors import Unavailable

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_VERIFIED: set[tuple[str, str, Path]] = set()


def verify_files(hub_id: str, commit: str, files: Mapping[str, Path]) -> None:
    """Compare files with what the Hub lists; each once in a process, and of large ones a note is kept on disk.

    Args:
        hub_id: OWNER/NAME.
        commit: of which they are.
        files: name in the repository → where it lies here.

    Raises:
        Unavailable: a file is another one. The copy is removed from the cache, so that the next run fetches it again.
    """
    from huggingface_hub import HfApi

    left = {name: path for name, path in files.items() if (hub_id, commit, path) not in _VERIFIED}
    if not left:
        return
    with one_line(f"{hub_id}@{commit}"):
        info = HfApi().model_info(hub_id, revision=commit, files_metadata=True, timeout=FIRST_ANSWER)
    damaged = [name for name, listed in _listed(info.siblings or (), left) if not _is(left[name], listed)]
    for name in damaged:
        _remove(left[name])
    if damaged:
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        raise Unavailable(
            f"{hub_id}@{commit}/{damaged[0]}{more}: what came is not what the Hub lists (its hash differs); "
            "the copy was removed from the cache, run again to fetch it anew"
        )
    _VERIFIED.update((hub_id, commit, path) for path in left.values())


def _listed(siblings: "Iterable[RepoSibling]", files: Mapping[str, Path]) -> "Iterable[tuple[str, RepoSibling]]":
    return ((one.rfilename, one) for one in siblings if one.rfilename in files)


def _is(path: Path, listed: "RepoSibling") -> bool:
    """Whether a file has the content that is listed; one without any hash is told by nothing and passes."""
    if listed.lfs is not None:
        return file_digest(path) == listed.lfs.sha256
    return listed.blob_id is None or _git_id(path.read_bytes()) == listed.blob_id


def _git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _remove(path: Path) -> None:
    """A file of the cache is a link to its content, or the content itself."""
    content = path.resolve()
    path.unlink(missing_ok=True)
    content.unlink(missing_ok=True)
