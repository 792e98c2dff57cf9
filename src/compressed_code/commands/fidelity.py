"""`fidelity`: how faithful a compressed model is to its base model, on texts of the user's own."""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compressed_code.commands.figures import add_figure, check_figure, write_figure
from compressed_code.commands.parsers import declare
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.text_tables import text_table

if TYPE_CHECKING:
    import pandas as pd

    from compressed_code.fidelity.pair import EncodedText
    from compressed_code.measurements.readings import Text
    from compressed_code.tokenizers.vocabulary import Vocabulary

HELP = "How faithful a compressed model is to its base model, token by token on given programs."
MODEL_HELP = "registry key, folder, GGUF file, Hub id OWNER/NAME[@REVISION], or MODEL+QUANTIZATION"
LANGUAGE_HELP = "key of data/keywords.yml for all files; default: by the ending of each file's name"
TEXT_HELP = "what both read; default: this project's own programs in twelve languages"
BYTES_HELP = "compare models of different tokenizers: bits per byte of the texts"
TOKENIZER_HELP = (
    "what cuts the texts where a model's own file cannot, as GGUF files; it must have the same tokens: registry key,"
    " folder, tokenizer file, or Hub id OWNER/NAME[@REVISION]"
)
EXAMPLES = (
    "fidelity zoo-xs zoo-xs+rtn-4-g8 --figure by-class.svg",
    "fidelity zoo-xs zoo-xs+rtn-3-g8 --format json",
)
FEWEST_TOKENS = 10  # with fewer llama.cpp's tool gives no uncertainty either
# Statistic → its heading in the tables of groups.
SHOWN = {
    "kl_mean_nats": "kl_mean",
    "kl_p99_nats": "kl_p99",
    "same_top_fraction": "same_top",
    "delta_p_rms": "delta_p_rms",
    "perplexity_ratio": "ppl_ratio",
}
DIGITS = (6, 3, 6, 6)  # of a value, its standard error and its bounds
BOUNDS = ("standard_error", "low", "high")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    from compressed_code.models.start_contexts import CONTEXTS

    command = declare(commands, "fidelity", HELP, EXAMPLES)
    command.add_argument("base", metavar="BASE", help=MODEL_HELP)
    command.add_argument("candidate", metavar="CANDIDATE", help="the compressed model, named in the same way")
    command.add_argument("--text", nargs="+", action="extend", type=Path, metavar="FILE", help=TEXT_HELP)
    command.add_argument("--language", metavar="NAME", help=LANGUAGE_HELP)
    command.add_argument(
        "--context", choices=CONTEXTS, default="document", help="what each text follows; default: document"
    )
    command.add_argument("--tokenizer", metavar="NAME", help=TOKENIZER_HELP)
    command.add_argument("--bytes", action="store_true", help=BYTES_HELP)
    command.add_argument("--format", choices=("json", "table"), default="table", help="json holds every statistic")
    add_figure(command, "mean KL by token class")
    command.add_argument("--force", action="store_true", help="replace the file of --figure")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print every statistic, overall, by token class and by language; or bits per byte."""
    from compressed_code.measurements.subjects.models import ModelSubject
    from compressed_code.registry.lookup import find_model, load_registry

    if options.figure and options.bytes:
        raise InputError("--figure shows token classes, which a comparison by bytes does not have; leave it out")
    check_figure(options.figure, options.text or (), force=options.force)
    if options.bytes and options.context == "none":
        raise InputError("--context none: a first token has no probability then, and --bytes counts it; name another")
    texts = _read_texts(options.text, options.language)
    registry, names = load_registry(), (options.base, options.candidate)
    paths = [ModelSubject().open(find_model(name, registry), registry) for name in names]
    vocabularies = [_open_vocabulary(name) for name in names]
    if options.tokenizer is not None:
        vocabularies = _with_tokenizer(options.tokenizer, names, vocabularies, by_bytes=options.bytes)
    _require_cuts(names, vocabularies, all_of_them=options.bytes)
    if options.bytes:
        result = _compare_bytes(paths, vocabularies, texts, options.context)
    else:
        result = _compare_tokens(paths, vocabularies, texts, options.context)
    if options.format == "json":
        print(
            json.dumps({"base": options.base, "candidate": options.candidate, **result}, indent=1, ensure_ascii=False)
        )
    else:
        _print_result(result)
    if options.figure:
        _draw(result, options)


def _draw(result: dict[str, Any], options: argparse.Namespace) -> None:
    """Mean KL by token class, with its intervals."""
    import pandas as pd

    from compressed_code.charts.comparison import divergence_by_group

    rows = [
        (options.candidate, name, *(values.get(f"kl_mean_nats{end}") for end in ("", "_low", "_high")))
        for name, values in result["by_token_class"].items()
    ]
    table = pd.DataFrame(rows, columns=["model", "token_class", "value", "low", "high"])
    table[["low", "high"]] = table[["low", "high"]].astype(float)
    found = ", ".join(f"{row.token_class} {row.value:.2g}" for row in table.itertuples())
    alt = f"Mean KL by token class of {options.candidate} against {options.base}, nats: {found}."
    label = {options.candidate: options.candidate}
    write_figure(lambda: divergence_by_group(table, "token_class", label), options.figure, alt)


def _compare_tokens(
    paths: Sequence[Path], vocabularies: Sequence["Vocabulary"], texts: "Sequence[Text]", context: str
) -> dict[str, Any]:
    from compressed_code.fidelity.pair import keyword_ids, require_same_vocabulary, token_fidelity
    from compressed_code.fidelity.summary import fidelity_summary
    from compressed_code.models.devices import chosen_device
    from compressed_code.models.load import load_reader
    from compressed_code.models.precision import precision_of
    from compressed_code.models.start_contexts import start_context

    require_same_vocabulary(*vocabularies)
    documents = _encode(vocabularies, texts)
    start, precision = start_context(paths[0], context), precision_of(*paths)
    tokens = token_fidelity(
        *(load_reader(path, chosen_device(), precision) for path in paths),
        documents,
        start.ids,
        keyword_ids=keyword_ids(vocabularies[0]),
        entries=min(map(len, vocabularies)),
    )
    return {
        "context": {"name": start.name, "input_ids": list(start.ids), "origin": start.origin},
        "tokens": len(tokens),
        "documents": len(documents),
        "overall": _by_name(fidelity_summary(tokens)),
        "by_token_class": _groups(fidelity_summary(tokens, ["token_class"]), "token_class"),
        "by_language": _groups(fidelity_summary(tokens, ["language"]), "language"),
    }


def _compare_bytes(
    paths: Sequence[Path], vocabularies: Sequence["Vocabulary"], texts: "Sequence[Text]", context: str
) -> dict[str, Any]:
    from compressed_code.fidelity.pair import Reader, byte_fidelity
    from compressed_code.fidelity.summary import bits_per_byte
    from compressed_code.models.devices import chosen_device
    from compressed_code.models.load import load_reader
    from compressed_code.models.start_contexts import start_context

    starts = [start_context(path, context) for path in paths]
    readers = [
        Reader(load_reader(path, chosen_device()), vocabulary, start.ids)
        for path, vocabulary, start in zip(paths, vocabularies, starts, strict=True)
    ]
    pieces = byte_fidelity(*readers, [text.content for text in texts])
    size = int((pieces["end"] - pieces["start"]).sum())
    contexts = [{"name": start.name, "input_ids": list(start.ids), "origin": start.origin} for start in starts]
    return {"contexts": contexts, "bytes": size, "documents": len(texts), "overall": bits_per_byte(pieces)}


def _read_texts(files: Sequence[Path] | None, language: str | None) -> "list[Text]":
    """Given texts, or the programs that every comparison reads by default, of which a language may be chosen."""
    from compressed_code.measurements.readings import programs_read, read_texts
    from compressed_code.registry.languages import select_languages

    if files:
        return read_texts(files, language)
    kept = [one.key for one in select_languages([language] if language else None)]
    return [text for text in programs_read() if text.language in kept]


def _open_vocabulary(model: str) -> "Vocabulary":
    from compressed_code.registry.lookup import find_tokenizer, load_registry, tokenizer_name
    from compressed_code.tokenizers.files import open_tokenizer

    registry = load_registry()
    return open_tokenizer(find_tokenizer(tokenizer_name(model, registry), registry))


def _with_tokenizer(
    name: str, models: Sequence[str], vocabularies: Sequence["Vocabulary"], *, by_bytes: bool
) -> list["Vocabulary"]:
    """The named tokenizer in place of the models' own vocabularies, whose tokens it must have.

    Where bytes are compared, a model with another vocabulary keeps it if it can cut text by itself.

    Raises:
        InputError: its tokens are not those of a model.
    """
    from compressed_code.fidelity.pair import first_difference
    from compressed_code.registry.lookup import find_tokenizer, load_registry
    from compressed_code.tokenizers.files import open_tokenizer

    tokenizer = open_tokenizer(find_tokenizer(name, load_registry()))
    if not _can_encode(tokenizer):
        raise Unavailable(f"{name}: a vocabulary without the rule that cuts text; name the tokenizer it was made from")
    chosen, reasons = [], []
    for model, own in zip(models, vocabularies, strict=True):
        token_id = first_difference(tokenizer, own)
        if token_id is None:
            chosen.append(tokenizer)
            continue
        ours, theirs = (side.tokens[token_id] if token_id < len(side) else None for side in (tokenizer, own))
        reasons.append(
            f"{name}: id {token_id} is {ours!r} in this tokenizer and {theirs!r} in {model}; name the tokenizer that"
            f" {model} was made with"
        )
        if not (by_bytes and _can_encode(own)):
            raise InputError(reasons[-1])
        chosen.append(own)
    if len(reasons) == len(models):
        raise InputError(reasons[0])
    return chosen


def _require_cuts(models: Sequence[str], vocabularies: Sequence["Vocabulary"], *, all_of_them: bool) -> None:
    """Stop unless both models, or by tokens one of them, can cut text."""
    cannot = [model for model, own in zip(models, vocabularies, strict=True) if not _can_encode(own)]
    if cannot and (all_of_them or len(cannot) == len(models)):
        raise Unavailable(
            f"{cannot[0]}: holds a vocabulary without the rule that cuts text; name its original tokenizer with"
            " --tokenizer"
        )


def _encode(vocabularies: Sequence["Vocabulary"], texts: "Sequence[Text]") -> list["EncodedText"]:
    """Encode with the base model's tokenizer, or the candidate's where that is a GGUF file's, which cannot."""
    from compressed_code.measurements.readings import encoded

    encoder = next((vocabulary for vocabulary in vocabularies if _can_encode(vocabulary)), vocabularies[0])
    documents = encoded(encoder, texts)
    count = sum(len(document.ids) for document in documents)
    if count <= FEWEST_TOKENS:
        raise InputError(
            f"{texts[0].name}: the text is too short ({count} tokens); more than {FEWEST_TOKENS} are needed"
        )
    return documents


def _can_encode(vocabulary: "Vocabulary") -> bool:
    try:
        vocabulary.encode("a")
    except Unavailable:
        return False
    return True


def _by_name(summary: "pd.DataFrame") -> dict[str, Any]:
    """Statistic → value, and beside it `…_standard_error`, `…_low` and `…_high` where there are any."""
    values = {}
    for row in summary.to_dict(orient="records"):
        values[row["statistic"]] = row["value"] if math.isfinite(row["value"]) else None
        found = {f"{row['statistic']}_{bound}": row[bound] for bound in BOUNDS if math.isfinite(row[bound])}
        values |= found
    return values


def _groups(summary: "pd.DataFrame", column: str) -> dict[str, dict[str, Any]]:
    return {
        str(group): {"tokens": int(rows["tokens"].iloc[0]), **_by_name(rows)}
        for group, rows in summary.groupby(column, sort=False, observed=True)
    }


def _print_result(result: dict[str, Any]) -> None:
    """One line per statistic, and one per group with the most telling ones; 80 columns."""
    import pandas as pd

    from compressed_code.statistics.cluster_intervals import LEAST_CLUSTERS

    overall = result["overall"]
    names = [name for name in overall if not name.endswith(BOUNDS)]
    width = max(map(len, names))
    print(f"{'':{width}} {'value':>11} {'± tokens':>9} {'low':>11} {'high':>11}")
    for name in names:
        cells = [overall[name], *(overall.get(f"{name}_{bound}") for bound in BOUNDS)]
        written = ["" if cell is None else f"{cell:.{digits}g}" for cell, digits in zip(cells, DIGITS, strict=True)]
        line = " ".join(f"{cell:>{room}}" for cell, room in zip(written, (11, 9, 11, 11), strict=True))
        print(f"{name:{width}} {line.rstrip()}")
    for part in ("by_token_class", "by_language"):
        if part in result:
            rows = [
                (group, values["tokens"], *(values[name] for name in SHOWN)) for group, values in result[part].items()
            ]
            print("\n" + text_table(pd.DataFrame(rows, columns=[part, "tokens", *SHOWN.values()])))
    for start in result.get("contexts") or [result["context"]]:
        ids = " ".join(map(str, start["input_ids"]))
        print(f"\neach text follows {f'ids {ids}' if ids else 'no id'} ({start['origin']})", end="")
    size = f"{result['tokens']:,} tokens" if "tokens" in result else f"{result['bytes']:,} bytes"
    drawn = any(name.endswith("_low") for name in overall)
    bounds = "low and high: 95 % (bootstrap-t) over texts" if drawn else f"no interval: fewer than {LEAST_CLUSTERS}"
    print(f"\n{size} of {result['documents']} texts; {bounds}")
