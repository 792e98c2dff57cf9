"""What models read to be compared: the parallel programs or texts of a caller, and a base model that reads them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compressed_code.checkpoints.model_files import fingerprint
from compressed_code.core.errors import InputError
from compressed_code.models.devices import CPU
from compressed_code.models.precision import Precision
from compressed_code.models.start_contexts import start_ids
from compressed_code.registry.languages import Language, load_programs, select_languages
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.vocabulary import Vocabulary

if TYPE_CHECKING:
    from compressed_code.fidelity.pair import EncodedText
    from compressed_code.fidelity.teacher_forcing import KeepingRunner

TRANSLATIONS = 3  # in how many of the twelve languages each of the parallel programs is read
# Programs are the independent draws, so all are read, each in some languages only. These steps from one language to
# the next differ pairwise, so that few programs share two languages and all languages are read about equally often.
_STEPS = (0, 1, 4, 6, 8, 9, 10, 11, 2, 3, 5, 7)


class Text(NamedTuple):
    """A text that models read.

    Attributes:
        language: key of its language.
        name: what it is called in tables.
        content: the text.
        cluster: what it is an instance of (`fidelity.pair.EncodedText`); empty for a text by itself.
    """

    language: str
    name: str
    content: str
    cluster: str = ""


@dataclass(frozen=True)
class Reading:
    """A base model with the texts it reads: what the comparisons with all of its candidates share."""

    vocabulary: Vocabulary
    documents: Sequence["EncodedText"]
    start_ids: Sequence[int]
    keyword_ids: Sequence[int]
    runner: "KeepingRunner"


def programs_read(translations: int = TRANSLATIONS) -> list[Text]:
    """The parallel programs that are read: all of them, each in so many languages.

    Raises:
        InputError: there are not so many languages.
    """
    languages = select_languages(None)
    if not 1 <= translations <= len(languages):
        raise InputError(f"translations: must be 1 to {len(languages)}, found {translations}")
    programs = {language.key: load_programs(language) for language in languages}
    names = sorted(set.intersection(*(set(texts) for texts in programs.values())))
    return [
        Text(language.key, f"{language.key}/{name}", programs[language.key][name], name)
        for place, language in enumerate(languages)
        for number, name in enumerate(names)
        if (place - number) % len(languages) in _STEPS[:translations]
    ]


def read_texts(files: Iterable[str | Path], language: str | None = None) -> list[Text]:
    """Texts of files, in their order; a file named twice is read once.

    Args:
        language: key of the language of all of them; by default told by the ending of each file's name.

    Raises:
        InputError: a file is missing, empty or no UTF-8 text, or its language is unknown.
    """
    by_ending = {row.extension: row for row in select_languages(None)}
    chosen = select_languages([language])[0] if language else None
    texts = []
    for file in map(Path, dict.fromkeys(map(str, files))):
        if chosen is None and file.suffix not in by_ending:
            endings = ", ".join(by_ending)
            raise InputError(f"{file}: its language is unknown (known endings: {endings}); name it with --language")
        try:
            content = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: no UTF-8 text (byte {error.start})") from None
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror}); check the name and the rights") from None
        if not content.strip():
            raise InputError(f"{file}: the text is empty")
        texts.append(Text((chosen or by_ending[file.suffix]).key, str(file), content))
    return texts


def encoded(vocabulary: Vocabulary, texts: Sequence[Text]) -> "list[EncodedText]":
    """Texts as tokens with their classes.

    Raises:
        InputError: a text is empty, or its language is unknown.
        Unavailable: the tokenizer cannot encode it.
    """
    from compressed_code.fidelity.pair import encode_document

    languages: dict[str, Language] = {language.key: language for language in select_languages(None)}
    return [
        encode_document(vocabulary, languages[text.language], text.content, text.name, text.cluster) for text in texts
    ]


READINGS = 2  # of one base model that are kept: programs, and solutions of tasks
_KEPT: dict[tuple[Any, ...], Reading] = {}


def reading_of(base: Path, texts: Sequence[Text], precision: Precision, device: str = CPU) -> Reading:
    """The reading of a base: one of the last where it is the same, for variants of one model are compared in a row."""
    from compressed_code.fidelity.pair import keyword_ids
    from compressed_code.fidelity.teacher_forcing import KeepingRunner
    from compressed_code.models.load import load_reader

    model = (precision, device, str(base), *fingerprint(base).values())
    key = (tuple(texts), *model)
    if key not in _KEPT:
        same = [reading for other, reading in _KEPT.items() if other[1:] == model]
        if not same:
            _KEPT.clear()  # before the next base is loaded: two large ones may not fit side by side
        elif len(same) == READINGS:
            del _KEPT[next(iter(_KEPT))]
        vocabulary, start = open_tokenizer(base), start_ids(base, "document")
        documents = encoded(vocabulary, texts)
        loaded = same[0].runner.model if same else load_reader(base, device, precision)
        _KEPT[key] = Reading(vocabulary, documents, start, keyword_ids(vocabulary), KeepingRunner(loaded, start))
    return _KEPT[key]
