"""A comparison as one HTML file: no network, no other file; whatever comes from models and texts is escaped."""

from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from compressed_code.comparison.overview import overview
from compressed_code.comparison.page_tables import (
    PageTable,
    digits,
    guidelines_table,
    overall_table,
    overview_table,
    page_table,
    percent,
    signed,
    statistics_table,
    weights_table,
    whole,
)
from compressed_code.comparison.pictures import pictures
from compressed_code.core.errors import readable

if TYPE_CHECKING:
    from jinja2 import Template

    from compressed_code.comparison.comparison import ModelComparison, NamedModel
    from compressed_code.comparison.passages import MarkedToken

# Flip → how it is marked, and what that means.
MARKS = {
    "right to wrong": ("lost", "right before, wrong now"),
    "wrong to right": ("gained", "wrong before, right now"),
    "wrong to wrong": ("other", "wrong before, otherwise wrong now"),
}


def page(comparison: "ModelComparison") -> str:
    """The whole page."""
    written = _template().render(
        title=f"{comparison.base.label} and what was made from it",
        comparison=comparison,
        overview=overview_table(overview(comparison)),
        pictures=pictures(comparison),
        sections=[_section(comparison, model) for model in comparison.candidates],
        marks=MARKS,
        shown=shown,
        style=_resource("css"),
        script=_resource("js"),
    )
    return readable(written)


def fragment(comparison: "ModelComparison") -> str:
    """The first table, the chart and the findings, for a cell of a notebook."""
    table, drawn = overview_table(overview(comparison)), pictures(comparison).get("bytes")
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell.text)}</td>' for cell in row)}</tr>" for row in table.rows)
    found = [
        f"{model.label}: {health.health}: {'; '.join(health.sentences)}"
        for model in comparison.candidates
        if (health := comparison.findings.get(model.name))
    ]
    lines = "".join(f"<li>{escape(line)}</li>" for line in [*comparison.notes, *found])
    chart = f'<figure role="img" aria-label="{escape(drawn.alt)}">{drawn.svg}</figure>' if drawn else ""
    written = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{lines}</ul>{chart}"
    return readable(written)


def shown(token: "MarkedToken") -> str:
    """A token as it is marked: blanks and line ends of a changed one become visible."""
    if token.flip == "none" or token.text.strip():
        return token.text
    return token.text.replace(" ", "·").replace("\t", "→").replace("\n", "↵\n")


def _section(comparison: "ModelComparison", model: "NamedModel") -> dict[str, Any]:
    """What the page says of one candidate."""
    name, tables = model.name, comparison.tables
    facts = tables["models"].set_index("model").loc[name]
    programs = tables.get("programs")
    return {
        "model": model,
        "facts": facts,
        "findings": comparison.findings.get(name),
        "tables": _tables(comparison, name),
        "passages": comparison.passages.get(name, []),
        "turned": comparison.of("turned_programs", name).to_dict(orient="records"),
        "programs": None if programs is None else programs.set_index("model").loc[name],
    }


def _tables(comparison: "ModelComparison", name: str) -> dict[str, PageTable]:
    """The tables of one candidate, under the headings that they stand below."""
    of, tables, found = comparison.of, comparison.tables, {}
    if len(of("changes", name)):
        plain = {column: (column, None) for column in ("part", "field", "base", "candidate", "effect")}
        found["settings"] = page_table(of("changes", name), "Settings, tokenizer and template that differ", plain)
    if len(of("weights", name)):
        found["weights"] = weights_table(of("weights", name))
    if len(of("guidelines", name)):
        found["guidelines"] = guidelines_table(of("guidelines", name), comparison.tested_on)
    if "first_tokens" in tables:
        found |= _first_tokens(comparison, name)
    if len(of("statistics", name)):
        found["overall"] = overall_table(
            of("statistics", name), tables.get("noise_floor"), tables.get("bfloat16_noise")
        )
        found["token_class"] = statistics_table(of("by_token_class", name), "token_class", "By class of the token")
        found["language"] = statistics_table(of("by_language", name), "language", "By language")
        found["confidence"] = page_table(
            of("by_confidence", name),
            "By how sure the base is: entropy of its distribution in nats",
            {
                "confidence": ("the base is", None),
                "entropy": ("entropy", None),
                "tokens": ("tokens", whole),
                "kl_mean_nats": ("KL (nats)", digits),
                "flip_fraction": ("flips", percent),
                "flip_right_to_wrong_fraction": ("right to wrong", percent),
            },
        )
        found["flipped"] = page_table(
            of("flipped_tokens", name),
            "Tokens that are no longer put first where the base rightly did",
            {
                "token": ("token", None),
                "token_class": ("class", None),
                "occurrences": ("in the texts", whole),
                "lost": ("lost", whole),
                "instead": ("mostly instead", None),
                "kl_mean_nats": ("KL there", digits),
            },
        )
    return found


def _first_tokens(comparison: "ModelComparison", name: str) -> dict[str, PageTable]:
    tables, base = comparison.tables, comparison.base.name
    shares = {
        heading: (text, digits) for heading, text in (("pkp", "PKP"), ("stp", "STP"), ("kap", "KAP"), ("nlp", "NLP"))
    }
    both = tables["first_tokens"][tables["first_tokens"]["model"].isin([base, name])]
    both = both.assign(which=["base" if model == base else "candidate" for model in both["model"]])
    divergence = {"kl_nats": ("KL(base‖·)", digits), "reverse_kl_nats": ("KL(·‖base)", digits)}
    languages = tables["shares_by_language"].rename(columns={base: "base_share", name: "candidate_share"})
    return {
        "first": page_table(
            both,
            "The first token of a document: shares of keywords, symbols and English words",
            {"which": ("model", None), **shares, "entropy_nats": ("entropy (nats)", digits), **divergence},
        ),
        "first_language": page_table(
            languages,
            "Probability that the first token is a keyword of a language (PKP)",
            {"language": ("language", None), "base_share": ("base", digits), "candidate_share": ("candidate", digits)},
        ),
        "moved": page_table(
            comparison.of("moved_tokens", name),
            "First tokens whose probability changed most",
            {
                "token": ("token", None),
                "token_class": ("class", None),
                "base": ("base", digits),
                "candidate": ("candidate", digits),
                "change": ("change", signed),
            },
        ),
    }


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "digits": digits}
    return environment.from_string(_resource("html"))


@cache
def _resource(ending: str) -> str:
    return files("compressed_code.comparison").joinpath(f"page.{ending}").read_text(encoding="utf-8")
