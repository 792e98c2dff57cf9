"""What models want to write before any prompt: one question, several views of the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from compressed_code.charts.explorer import moved_points, rank_curves
from compressed_code.charts.parts import class_bars
from compressed_code.cold_start.metrics import class_masses, entropy, language_masses, readable, top_tokens
from compressed_code.comparison.first_tokens import divergences, moved_tokens
from compressed_code.comparison.page_tables import page_table, signed, whole
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import RESULTS
from compressed_code.explorer.markup import answer_page, chart, digits, paragraph, table_markup, told
from compressed_code.measurements.cold_start import cold_start_probabilities
from compressed_code.registry.languages import load_languages
from compressed_code.registry.lookup import Registry, load_registry, model_labels

VIEWS = {
    "top": "top tokens",
    "distribution": "whole distribution",
    "classes": "mass by class",
    "languages": "mass by language",
    "difference": "difference of the first two",
}
SHOWN = 16  # tokens that are named
NO_TOKEN = "No token of these models is a keyword of this language in this form."


@dataclass(frozen=True)
class FirstTokens:
    """What is asked.

    Attributes:
        models: names as `registry.lookup.find_model` takes them.
        context: one of `start_contexts.CONTEXTS`.
        language: key of a language, whose keywords alone are shown; empty for every token.
        form: one of `KEYWORD_FORMS`, to show keywords of that form alone; empty for every one.
        view: a key of `VIEWS`.
    """

    models: tuple[str, ...]
    context: str = "document"
    language: str = ""
    form: str = ""
    view: str = "top"


def answer(asked: FirstTokens, *, registry: Registry | None = None, directory: Path = RESULTS) -> str:
    """The answer as HTML; a model that cannot be had is named in it.

    Raises:
        InputError: a model is unknown or broken, a difference needs two models, or the view is unknown.
        Unavailable: none of the models can be had.
    """
    if asked.view not in VIEWS:
        raise InputError(f"view {asked.view!r}: there are {', '.join(VIEWS)}")
    registry = registry or load_registry()
    try:
        with told() as notices:
            tokens = cold_start_probabilities(asked.models, [asked.context], registry=registry, directory=directory)
    except Unavailable as gap:
        raise Unavailable("; ".join(notices) or str(gap)) from None
    labels = model_labels([name for name in asked.models if name in set(tokens["model"])], registry)
    shown = {
        "top": _top,
        "distribution": _distribution,
        "classes": _classes,
        "languages": _languages,
        "difference": _difference,
    }[asked.view]
    return answer_page(shown(tokens, labels, asked), notices)


def chosen_tokens(tokens: pd.DataFrame, language: str = "", form: str = "") -> pd.DataFrame:
    """The rows that a choice of language and form leaves.

    Args:
        tokens: `cold_start.metrics.first_tokens`.
        language: key; its keywords alone are left; empty for every token.
        form: of `KEYWORD_FORMS`; keywords of this form alone are left; empty for every token.
    """
    if language:
        tokens = tokens[tokens["keyword"].isin(load_languages()[language].keywords)]
    return tokens[tokens["form"] == form] if form else tokens


def summary_rows(tokens: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """A row for each model.

    Returns:
        Columns `model` (label), `entropy_nats`, `keyword`, `operator`, `whitespace` (mass of the class, percent),
        `entries` (rows of the output layer).
    """
    rows = []
    for model, label in labels.items():
        part = tokens[tokens["model"] == model]
        masses = class_masses(part).set_index("token_class")["probability"]
        named = {name: 100 * masses[name] for name in ("keyword", "operator", "whitespace")}
        nats = entropy(part["probability"].to_numpy())
        rows.append({"model": label, "entropy_nats": nats, **named, "entries": len(part)})
    return pd.DataFrame(rows)


def _summary(tokens: pd.DataFrame, labels: Mapping[str, str], context: str) -> str:
    columns = {
        "model": ("model", None),
        "entropy_nats": ("entropy (nats)", digits),
        "keyword": ("keywords (%)", digits),
        "operator": ("operators (%)", digits),
        "whitespace": ("white space (%)", digits),
        "entries": ("tokens", whole),
    }
    return table_markup(page_table(summary_rows(tokens, labels), f"First token, start context “{context}”", columns))


def _top(tokens: pd.DataFrame, labels: Mapping[str, str], asked: FirstTokens) -> str:
    columns = {"token": ("token", None), "token_class": ("class", None)}
    columns |= {model: (f"{label} (%)", digits) for model, label in labels.items()}
    best = best_tokens(chosen_tokens(tokens, asked.language, asked.form))
    listed = page_table(best, "Most probable first tokens; line ends are written \\n", columns)
    found = table_markup(listed, shaded=True) if len(best) else paragraph(NO_TOKEN)
    return found + _summary(tokens, labels, asked.context)


def best_tokens(tokens: pd.DataFrame, count: int = SHOWN) -> pd.DataFrame:
    """The tokens that any of the models gives most probability, the most probable first.

    Args:
        tokens: columns `model` and those of `cold_start.metrics.first_tokens`.

    Returns:
        Columns `token` (as `readable` writes it; ids that spell the same are added up), `token_class`, and one per
        model, in percent; missing where its vocabulary has no such token.
    """
    columns = ["model", "bytes", "token_class"]
    # Of each model only what may be among the first is spelled out.
    near = pd.concat([top_tokens(part, 2 * count) for _, part in tokens.groupby("model", sort=False)] or [tokens])
    every = tokens[tokens["bytes"].isin(near["bytes"])]
    sums = every.groupby(columns, sort=False, observed=True)["probability"].sum().reset_index()
    sums["token"] = [readable(token) for token in sums["bytes"]]
    wide = 100 * sums.pivot_table(index="token", columns="model", values="probability", aggfunc="sum", sort=False)
    order = wide.max(axis=1).sort_values(ascending=False, kind="stable").index[:count]
    kinds = sums.groupby("token")["token_class"].first()
    return wide.loc[order].reset_index().assign(token_class=list(kinds.loc[order]))


def _distribution(tokens: pd.DataFrame, labels: Mapping[str, str], asked: FirstTokens) -> str:
    left = chosen_tokens(tokens, asked.language, asked.form)
    if left.empty:
        return paragraph(NO_TOKEN)
    most = "; ".join(
        f"{label} from {part.max():.2g} to {part.min():.1e}"
        for model, label in labels.items()
        if len(part := left.loc[left["model"] == model, "probability"])
    )
    drawn = chart(lambda: rank_curves(left, labels), f"Probability against rank, both logarithmic: {most}.")
    return drawn + _summary(tokens, labels, asked.context)


def _classes(tokens: pd.DataFrame, labels: Mapping[str, str], asked: FirstTokens) -> str:
    grid = pd.DataFrame(
        {
            model: class_masses(tokens[tokens["model"] == model]).set_index("token_class")["probability"]
            for model in labels
        }
    )
    wide = 100 * grid.T
    most = "; ".join(f"{labels[model]} most {row.idxmax()}, {row.max():.3g} %" for model, row in wide.iterrows())
    drawn = chart(lambda: class_bars(wide, "probability (%)", labels=labels), f"Stacked bars by class: {most}.")
    table = wide.rename(index=labels).rename_axis("model").reset_index()
    columns = {"model": ("model", None)} | {name: (f"{name} (%)", digits) for name in wide if wide[name].any()}
    return drawn + table_markup(page_table(table, "Probability of each class of tokens; classes add to 100", columns))


def _languages(tokens: pd.DataFrame, labels: Mapping[str, str], asked: FirstTokens) -> str:
    languages = load_languages()
    chosen = [languages[asked.language]] if asked.language else list(languages.values())
    masses = pd.concat(
        [language_masses(tokens[tokens["model"] == model], chosen).assign(model=model) for model in labels]
    )
    if asked.form:
        masses = masses[masses["form"] == asked.form]
    sums = masses.groupby(["model", "language"], sort=False)["probability"].sum().reset_index()
    names = {language.key: language.label for language in chosen}
    wide = (100 * sums.pivot(index="language", columns="model", values="probability")).loc[list(names), list(labels)]
    table = wide.rename(index=names).reset_index()
    columns = {"language": ("language", None), **{m: (f"{label} (%)", digits) for m, label in labels.items()}}
    words = "Probability of a keyword of each language (PKP); languages share keywords, so they do not add up"
    return table_markup(page_table(table, words, columns), shaded=True)


def _difference(tokens: pd.DataFrame, labels: Mapping[str, str], asked: FirstTokens) -> str:
    if len(labels) < 2:
        raise InputError("a difference needs two models; choose two, or a second variant")
    base, candidate = list(labels)[:2]
    sides = [tokens[tokens["model"] == model].reset_index(drop=True) for model in (base, candidate)]
    nats = divergences(*sides)
    left = chosen_tokens(tokens, asked.language, asked.form)
    moved = moved_tokens(left, base, candidate, SHOWN)
    if moved.empty:
        return paragraph(NO_TOKEN)
    words = f"{labels[base]} beside {labels[candidate]}"
    told = (
        f"KL({labels[base]}‖{labels[candidate]}) is {digits(nats['kl_nats'])} nats, the other way"
        f" {digits(nats['reverse_kl_nats'])} nats."
        if pd.notna(nats["kl_nats"])
        else "The rows of the two output layers are not the same tokens, so there is no divergence; the table goes by"
        " what tokens spell."
    )
    drawn = chart(
        lambda: moved_points(moved, (labels[base], labels[candidate])),
        f"Pairs of points, {words}; {moved['token'].iloc[0]!r} moved most, by {100 * moved['change'].iloc[0]:+.2g} %.",
    )
    table = moved.assign(**{name: 100 * moved[name] for name in ("base", "candidate", "change")})
    columns = {
        "token": ("token", None),
        "token_class": ("class", None),
        "base": (f"{labels[base]} (%)", digits),
        "candidate": (f"{labels[candidate]} (%)", digits),
        "change": ("change (points)", signed),
    }
    return paragraph(told) + drawn + table_markup(page_table(table, "Tokens whose probability moved most", columns))
