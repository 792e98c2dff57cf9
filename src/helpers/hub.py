"""Checkpoints on a Hub: opened without downloading (small files whole, tensors by byte ranges), or downloaded.

Names, revisions, tokens and addresses are the business of huggingface_hub, so HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE
hold here, too. All files of one opening are of one commit; a file that is in the local cache is read from there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from helpers.checkpoints import Checkpoint, read_config
from helpers.checkpoints.gguf_files import GgufFiles
from helpers.checkpoints.mapped_file import MappedFile
from helpers.checkpoints.quantization import Quantization, read_quantization
from helpers.checkpoints.remote_file import Place, RemoteFile, Transfers
from helpers.checkpoints.safetensors_files import INDEX, SafetensorsFiles
from helpers.checkpoints.stored import TensorFile
from helpers.errors import InputError, Unavailable

# Read whole, beside the tensors.
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")
SMALL_FILES = ("config.json", "quantize_config.json", INDEX, *TOKENIZER_FILES)
FIRST_ANSWER = 10  # seconds to wait for a Hub


def open_remote_checkpoint(hub_id: str, revision: str | None = None, file: str | None = None) -> Checkpoint:
    """Open a checkpoint on the Hub; no tensor is fetched yet. `path` of the result names the commit.

    Args:
        hub_id: OWNER/NAME.
        revision: branch, tag or commit; the main branch if `None`.
        file: name of a GGUF file in the repository; needed where it holds several and no safetensors.

    Raises:
        Unavailable: the Hub is not in reach, or delivers no such repository, revision or file to this user.
        InputError: the repository holds no checkpoint that can be read by ranges, or a broken one.
    """
    repository = _find(hub_id, revision)
    if file is None and not any(name.endswith(".safetensors") for name in repository.files):
        file = repository.only_gguf_file()
    if file is not None:
        tensors = GgufFiles(repository.open(file))
        return Checkpoint(repository.path / file, tensors.config(), tensors, Quantization())
    folder = repository.small_files()
    config = read_config(folder)
    tensors = SafetensorsFiles(repository.path, repository.files, repository.open)
    return Checkpoint(repository.path, config, tensors, read_quantization(folder, config))


def find_commit(hub_id: str, revision: str | None = None) -> str:
    """The hash of the commit that a revision means now.

    Raises:
        Unavailable: as `open_remote_checkpoint`.
    """
    return _find(hub_id, revision).commit


def download_settings(hub_id: str, revision: str | None = None) -> Path:
    """Configuration and tokenizer of a model, without its weights: the folder of the local cache that holds them.

    Raises:
        Unavailable: as `open_remote_checkpoint`.
        InputError: the repository holds no configuration.
    """
    return _find(hub_id, revision).small_files()


def download_model(hub_id: str, revision: str | None = None, file: str | None = None) -> Path:
    """A whole checkpoint in the local cache: its folder, or the GGUF file named.

    Raises:
        Unavailable: as `open_remote_checkpoint`.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    commit = find_commit(hub_id, revision)
    with _one_line(f"{hub_id}@{commit}"):
        if file is not None:
            return Path(hf_hub_download(hub_id, file, revision=commit))
        return Path(
            snapshot_download(hub_id, revision=commit, allow_patterns=["*.safetensors", "*.json", "tokenizer*"])
        )


@dataclass(frozen=True)
class _Repository:
    """One commit of a repository.

    Attributes:
        hub_id: OWNER/NAME.
        commit: its hash.
        files: names of its files.
    """

    hub_id: str
    commit: str
    files: tuple[str, ...]
    transfers: Transfers = field(default_factory=Transfers)

    @property
    def path(self) -> PurePosixPath:
        """OWNER/NAME@COMMIT, for messages."""
        return PurePosixPath(f"{self.hub_id}@{self.commit}")

    def only_gguf_file(self) -> str:
        """The GGUF file of a repository that holds one.

        Raises:
            InputError: it holds none, or several.
        """
        found = [name for name in self.files if name.endswith(".gguf")]
        if not found:
            raise InputError(f"{self.path}: holds neither safetensors nor GGUF files")
        if len(found) > 1:
            raise InputError(f"{self.path}: holds {len(found)} GGUF files; name one as the row's file: {found[0]}, …")
        return found[0]

    def small_files(self) -> Path:
        """Fetch the configuration whole; the folder of the local cache that holds it.

        Raises:
            InputError: there is none.
            Unavailable: the Hub does not deliver it.
        """
        from huggingface_hub import hf_hub_download

        if "config.json" not in self.files:
            raise InputError(f"{self.path}: holds no config.json")
        for name in SMALL_FILES:
            if name in self.files:
                with _one_line(self.path / name):
                    local = hf_hub_download(self.hub_id, name, revision=self.commit)
        return Path(local).parent

    def open(self, name: str) -> TensorFile:
        """One file, from the local cache where it is there.

        Raises:
            Unavailable: the Hub does not deliver it.
        """
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(self.hub_id, name, revision=self.commit)
        if isinstance(cached, str):
            return MappedFile(Path(cached))
        return RemoteFile(self.path / name, lambda: self._locate(name), self.transfers)

    def _locate(self, name: str) -> Place:
        """Ask where a file is: often a signed address on another server, which must not see the user's token."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.utils import build_hf_headers

        url = hf_hub_url(self.hub_id, name, revision=self.commit)
        with _one_line(self.path / name):
            metadata = get_hf_file_metadata(url, retry_on_errors=True)
        if metadata.size is None:
            raise Unavailable(f"{self.path / name}: the Hub does not say how long it is; download the checkpoint")
        same_server = urlsplit(metadata.location)[:2] == urlsplit(url)[:2]
        return Place(metadata.location, metadata.size, build_hf_headers() if same_server else {})


def _find(hub_id: str, revision: str | None) -> _Repository:
    from huggingface_hub import HfApi

    with _one_line(hub_id if revision is None else f"{hub_id}@{revision}"):
        info = HfApi().model_info(hub_id, revision=revision, timeout=FIRST_ANSWER)
    return _Repository(hub_id, info.sha, tuple(sorted(file.rfilename for file in info.siblings or ())))


@contextmanager
def _one_line(what: object) -> Iterator[None]:
    """What huggingface_hub raises, as one line with what to do about it."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise Unavailable(f"{what}: gated; accept its terms on the Hub and set HF_TOKEN") from None
    except errors.RepositoryNotFoundError:
        raise Unavailable(
            f"{what}: the Hub has no such model, or a private one; check the name or set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise Unavailable(f"{what}: the Hub's repository has no such revision") from None
    except errors.RemoteEntryNotFoundError:
        raise Unavailable(f"{what}: the Hub's repository has no such file") from None
    except errors.HFValidationError as error:
        raise InputError(f"{what}: no Hub id ({_flat(error)})") from None
    except (errors.HTTPError, OSError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise Unavailable(f"{what}: the Hub refuses access (status {status}); check HF_TOKEN") from None
        raise Unavailable(
            f"{what}: the Hub does not deliver it ({_flat(error)}); connect, "
            "or download the checkpoint and give its folder"
        ) from None


def _flat(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
