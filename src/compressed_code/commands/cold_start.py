"""`cold-start`: what a model writes first, straight from its checkpoint."""

import argparse
import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from compressed_code.commands.figures import add_figure, check_figure, write_figure
from compressed_code.commands.parsers import declare
from compressed_code.commands.tables import print_table
from compressed_code.core.atomic_files import check_target, written_whole
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.names import cut_in_the_middle

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HELP = "What a model writes first: the next-token distribution after a start context, straight from the checkpoint."
EXAMPLES = (
    "cold-start zoo-xs zoo-m --top 5 --figure first-tokens.svg",
    "cold-start zoo-xs --context newline --format json",
)
METRICS = ("pkp", "stp", "kap", "nlp", "entropy_nats")
MODEL_HELP = "registry key, folder, GGUF file, Hub id OWNER/NAME[@REVISION], or MODEL+QUANTIZATION"


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    from compressed_code.models.start_contexts import CONTEXTS

    command = declare(commands, "cold-start", HELP, EXAMPLES)
    command.add_argument("models", nargs="+", metavar="MODEL", help=MODEL_HELP)
    command.add_argument("--context", choices=CONTEXTS, help="named start context; default: document")
    command.add_argument(
        "--input-ids", nargs="+", type=int, metavar="ID", help="exact input ids in place of a named context"
    )
    command.add_argument("--top", type=int, default=20, metavar="N", help="how many tokens are shown; default: 20")
    command.add_argument(
        "--format",
        choices=("csv", "json", "table", "parquet"),
        default="table",
        help="parquet holds the whole distribution, json the metrics and input ids as well",
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to standard output")
    add_figure(command, "shares of keywords, symbols and English words, model beside model")
    command.add_argument("--force", action="store_true", help="replace the files of --out and --figure")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the most probable first tokens of every model, or write whole distributions."""
    from compressed_code.measurements.cold_start import cold_start, with_tokens
    from compressed_code.measurements.tables import measure

    _check(options)
    start = {"context": options.context or "document"}
    if options.input_ids:
        start = {"context": "given", "input_ids": options.input_ids}
    try:
        distributions = measure(cold_start, options.models, **start)
    except Unavailable:  # measure has named every model and its reason; the same again would only hide them
        raise Unavailable("none of the models can be had; the lines above say why and what helps") from None
    if options.format == "parquet":
        _refuse_wrong_tokenizers(distributions)
        columns = ["model", "context", "token_id", "log_probability"]
        _write(options.out, lambda path: distributions[columns].to_parquet(path, index=False))
        return
    show, tokens = _print_json if options.format == "json" else _print_top, with_tokens(distributions)
    if options.figure:
        _draw(tokens, options.figure)
    with redirect_stdout(io.StringIO()) as text:
        show(distributions, tokens, options)
    if options.out:
        _write(options.out, lambda path: path.write_text(text.getvalue(), encoding="utf-8"))
    else:
        sys.stdout.write(text.getvalue())


def _refuse_wrong_tokenizers(distributions: "pd.DataFrame") -> None:
    """Stop at a tokenizer that cannot be its model's; whole distributions need none, so one that is not there is told.

    Raises:
        InputError: a tokenizer has more entries than the output layer has rows.
    """
    from compressed_code.measurements.cold_start import WrongTokenizer, with_tokens

    for model, rows in distributions.groupby("model", sort=False):
        try:
            with_tokens(rows)
        except WrongTokenizer:
            raise
        except InputError as error:
            print(f"compressed-code cold-start: {model}: not compared with a tokenizer: {error}", file=sys.stderr)


def _check(options: argparse.Namespace) -> None:
    if options.context and options.input_ids:
        raise InputError("--context and --input-ids exclude each other")
    if options.context == "none":
        raise InputError("--context none: a first token follows at least one id; name another context, or --input-ids")
    if options.format == "parquet" and not options.out:
        raise InputError("parquet is no text: name the file with --out")
    if options.top < 1:
        raise InputError(f"--top {options.top}: must be at least 1")
    if options.out:
        check_target(options.out, options.models, "--out", options.force)
    check_figure(options.figure, options.models, force=options.force)


def _print_top(distributions: "pd.DataFrame", tokens: "pd.DataFrame", options: argparse.Namespace) -> None:
    from compressed_code.cold_start.metrics import readable, top_tokens
    from compressed_code.measurements.tables import for_each

    table = for_each(tokens, ["model", "context"], top_tokens, options.top)
    table["token"] = [readable(token) for token in table["bytes"]]
    table = table[["model", "context", "rank", "token_id", "token", "token_class", "probability"]]
    print_table(table, options.format)
    if options.format == "table":
        print()
        print_table(_shares(tokens), "table")
        print()
        for model, rows in distributions.groupby("model", sort=False):
            row = rows.iloc[0]
            how = f"{row['engine']}{': ' + row['reason'] if row['reason'] else ''}"
            print(f"{model}: input ids {row['input_ids']} ({row['origin']}); {how}; {row['bytes_read']:,} bytes read")


def _print_json(distributions: "pd.DataFrame", tokens: "pd.DataFrame", options: argparse.Namespace) -> None:
    from compressed_code.cold_start.metrics import class_masses, load_english_words, metric_table, readable, top_tokens
    from compressed_code.registry.languages import select_languages

    languages, english = select_languages(None), load_english_words()
    entries = []
    for model, rows in tokens.groupby("model", sort=False):
        row = distributions[distributions["model"] == model].iloc[0]
        top = top_tokens(rows, options.top)
        metrics = metric_table(rows, languages, english).set_index("metric")
        entry = {"model": model, "context": row["context"], "origin": row["origin"], "engine": row["engine"]}
        entry |= {"reason": row["reason"], "bytes_read": int(row["bytes_read"]), "vocabulary_rows": len(rows)}
        entry |= {"input_ids": [int(token) for token in row["input_ids"].split()]}
        entry |= {"metrics": metrics["value"].to_dict(), "metrics_renormalised": metrics["renormalised"].to_dict()}
        entry |= {"class_mass": dict(class_masses(rows).itertuples(index=False, name=None))}
        columns = ["rank", "token_id", "token", "token_class", "probability"]
        entry["top"] = top.assign(token=top["bytes"].map(readable))[columns].to_dict(orient="records")
        entries.append(entry)
    print(json.dumps(entries, indent=1, ensure_ascii=False))


def _shares(tokens: "pd.DataFrame") -> "pd.DataFrame":
    """The paper's metrics, a row per model."""
    from compressed_code.cold_start.metrics import load_english_words, metric_table
    from compressed_code.measurements.tables import for_each
    from compressed_code.registry.languages import select_languages

    metrics = for_each(tokens, "model", metric_table, select_languages(None), load_english_words())
    wide = metrics.pivot(index="model", columns="metric", values="value")[list(METRICS)]
    return wide.loc[metrics["model"].unique()].rename_axis("model").reset_index().rename_axis(columns=None)


def _draw(tokens: "pd.DataFrame", path: Path) -> None:
    """A panel per metric, a row per model."""
    from compressed_code.charts.parts import interval_panels

    table = _shares(tokens)
    long = table.melt(id_vars="model", var_name="metric", value_name="value")
    panels = {name: name.upper() for name in METRICS[:4]}
    rows = {model: cut_in_the_middle(model, 28) for model in table["model"]}
    each = "; ".join(f"{row.model}: PKP {row.pkp:.2g}, STP {row.stp:.2g}" for row in table.itertuples())

    def draw() -> "Figure":
        return interval_panels(long, rows, panels, y="model", panel="metric", low=None, high=None)

    write_figure(draw, path, f"Shares of the first token: {each}.")


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """The file appears whole or not at all."""
    try:
        with written_whole(path) as part:
            write(part)
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written ({error.strerror or error})") from None
