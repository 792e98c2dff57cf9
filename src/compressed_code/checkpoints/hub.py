"""Checkpoints on a Hub: opened without downloading (small files whole, tensors by byte ranges), or downloaded.

Names, revisions, tokens and addresses are the business of huggingface_hub, so HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE
hold here, too. All files of one opening are of one commit; a file that is in the local cache is read from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from compressed_code.checkpoints.checkpoint import Checkpoint, gguf_checkpoint, read_config
from compressed_code.checkpoints.files.gguf_files import GgufFiles, part_names
from compressed_code.checkpoints.files.mapped_file import MappedFile
from compressed_code.checkpoints.files.remote_file import Place, RemoteFile, Transfers
from compressed_code.checkpoints.files.safetensors_files import SafetensorsFiles
from compressed_code.checkpoints.files.stored import TensorFile
from compressed_code.checkpoints.hub_access import FIRST_ANSWER, one_line
from compressed_code.checkpoints.model_files import BESIDE_WEIGHTS, CONFIG, SMALL_FILES
from compressed_code.checkpoints.quantization_config import read_form
from compressed_code.checkpoints.stored_weights import StoredWeights
from compressed_code.checkpoints.verified_files import verify_files
from compressed_code.core.atomic_files import writable_place, written_whole
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import BUILD

METADATA = BUILD / "hub"


@dataclass(frozen=True)
class RemoteModel:
    """A model on a Hub that was opened; nothing of its tensors is fetched yet.

    Attributes:
        checkpoint: its tensors; `path` names the commit.
        settings: puts configuration and tokenizer on this machine and says where: a folder of the local cache, or a
            GGUF file of the metadata alone.
    """

    checkpoint: Checkpoint
    settings: Callable[[], Path]


def open_remote_model(hub_id: str, revision: str | None = None, file: str | None = None) -> RemoteModel:
    """Open a model on the Hub without downloading it.

    Args:
        hub_id: OWNER/NAME.
        revision: branch, tag or commit; the main branch if `None`.
        file: name of a GGUF file in the repository; needed where it holds several and no safetensors.

    Raises:
        Unavailable: the Hub is not in reach, or delivers no such repository, revision or file to this user.
        InputError: the repository holds no checkpoint that can be read by ranges, or a broken one.
    """
    repository = _find(hub_id, revision)
    file = file or repository.needed_gguf_file()
    if file is not None:
        tensors = repository.open_gguf(file)
        place = repository.metadata_place(file)
        return RemoteModel(gguf_checkpoint(tensors), lambda: _kept(place, tensors.without_tensors))
    folder = repository.small_files()
    config = read_config(folder)
    tensors = SafetensorsFiles(repository.path, repository.files, repository.open)
    checkpoint = Checkpoint(repository.path, config, StoredWeights(tensors, read_form(folder, config)))
    return RemoteModel(checkpoint, lambda: folder)


def open_remote_checkpoint(hub_id: str, revision: str | None = None, file: str | None = None) -> Checkpoint:
    """The checkpoint of `open_remote_model`."""
    return open_remote_model(hub_id, revision, file).checkpoint


def find_commit(hub_id: str, revision: str | None = None) -> str:
    """The hash of the commit that a revision means now.

    Raises:
        Unavailable: as `open_remote_model`.
    """
    return _find(hub_id, revision).commit


def gguf_settings(hub_id: str, revision: str | None = None, file: str | None = None) -> Path | None:
    """The metadata of a GGUF model on the Hub, its tokenizer included, as a GGUF file on this machine.

    Args:
        hub_id, revision, file: as `open_remote_model`.

    Returns:
        `None` where the model is no GGUF file, or a tokenizer.json lies beside it, which can cut text.

    Raises:
        Unavailable, InputError: as `open_remote_model`.
    """
    repository = _find(hub_id, revision)
    file = file or repository.needed_gguf_file()
    if file is None or "tokenizer.json" in repository.files:
        return None
    return _kept(repository.metadata_place(file), lambda: repository.open_gguf(file).without_tensors())


def download_model(hub_id: str, revision: str | None = None, file: str | None = None) -> Path:
    """A whole checkpoint in the local cache: its folder, or the GGUF file named or alone in the repository.

    Every file is compared with the hash that the Hub lists for it.

    Raises:
        Unavailable: as `open_remote_model`, or what came is another file.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    repository = _find(hub_id, revision)
    file = file or repository.needed_gguf_file()
    weights = "*.safetensors" if repository.has(".safetensors") else "*.bin"
    with one_line(repository.path):
        if file is not None:
            folder, parts = PurePosixPath(file).parent, part_names(PurePosixPath(file).name)
            names = [str(folder / part) for part in parts]
            files = {name: Path(hf_hub_download(hub_id, name, revision=repository.commit)) for name in names}
            place = files[names[0]]
        else:
            patterns = [weights, *BESIDE_WEIGHTS]
            place = Path(snapshot_download(hub_id, revision=repository.commit, allow_patterns=patterns))
            files = {name: place / name for name in repository.files if (place / name).is_file()}
    verify_files(hub_id, repository.commit, files)
    return place


def _kept(place: Path, content: Callable[[], bytes]) -> Path:
    """A file of one commit, which never changes: written when it is not there; it appears whole or not at all."""
    if place.is_file() or (place := writable_place(place)).is_file():
        return place
    try:
        with written_whole(place) as part:
            part.write_bytes(content())
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{place}: cannot be written ({reason}); make room, or the folder writable") from None
    return place


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

    def has(self, ending: str) -> bool:
        """Whether the name of any file ends like this."""
        return any(name.endswith(ending) for name in self.files)

    def metadata_place(self, file: str) -> Path:
        """Where the metadata of a GGUF file is kept on this machine."""
        return METADATA / str(self.path).replace("/", "--") / file.replace("/", "--")

    def needed_gguf_file(self) -> str | None:
        """The GGUF file of a repository without other weights; `None` where there are some.

        Raises:
            InputError: it holds no weights, or several GGUF files.
        """
        found = [name for name in self.files if name.endswith(".gguf")]
        if self.has(".safetensors") or (self.has(".bin") and not found):
            return None
        if not found:
            raise InputError(f"{self.path}: holds neither safetensors nor GGUF files; name a repository of weights")
        first = part_names(PurePosixPath(found[0]).name)
        if [PurePosixPath(name).name for name in found] == first:  # one file in parts
            return found[0]
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

        if CONFIG not in self.files:
            raise InputError(f"{self.path}: holds no {CONFIG}; name a model's own repository")
        for name in SMALL_FILES:
            if name in self.files:
                with one_line(self.path / name):
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

    def open_gguf(self, name: str) -> GgufFiles:
        """A GGUF file with all its parts.

        Raises:
            Unavailable: the Hub does not deliver it.
            InputError: it is broken.
        """
        folder = PurePosixPath(name).parent
        return GgufFiles(self.open(name), lambda part: self.open(str(folder / part)))

    def _locate(self, name: str) -> Place:
        """Ask where a file is: often a signed address on another server, which must not see the user's token."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.utils import build_hf_headers

        url = hf_hub_url(self.hub_id, name, revision=self.commit)
        with one_line(self.path / name):
            metadata = get_hf_file_metadata(url, retry_on_errors=True)
        if metadata.size is None:
            raise Unavailable(f"{self.path / name}: the Hub does not say how long it is; download the checkpoint")
        same_server = urlsplit(metadata.location)[:2] == urlsplit(url)[:2]
        return Place(metadata.location, metadata.size, build_hf_headers() if same_server else {})


def _find(hub_id: str, revision: str | None) -> _Repository:
    from huggingface_hub import HfApi

    with one_line(hub_id if revision is None else f"{hub_id}@{revision}"):
        info = HfApi().model_info(hub_id, revision=revision, timeout=FIRST_ANSWER)
    return _Repository(hub_id, info.sha, tuple(sorted(file.rfilename for file in info.siblings or ())))
