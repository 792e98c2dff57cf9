"""The controls: ipywidgets around the questions. A panel asks again whenever one of its controls changes."""

import time
from collections.abc import Callable, Sequence
from html import escape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ipywidgets import HTML, Box, Button, Dropdown, HBox, Layout, SelectMultiple, Textarea, VBox, Widget

from compressed_code.core.errors import InputError
from compressed_code.core.paths import RESULTS
from compressed_code.explorer import first_tokens, next_tokens, own_program
from compressed_code.explorer.choices import (
    AS_IT_IS,
    Options,
    form_options,
    language_options,
    model_options,
    names_of,
    typed_model,
    variant_options,
)
from compressed_code.explorer.markup import answer_page, notice
from compressed_code.models.start_contexts import CONTEXTS
from compressed_code.registry.lookup import Registry, load_registry

Controls = dict[str, Widget]

_RUN_MODELS = ("torch", "transformers")
# What a model that must be run needs, which takes seconds to import: here, and not within the first answer. Without
# torch, as on Binder, the panels answer from stored tables.
if all(find_spec(name) for name in _RUN_MODELS):
    for module in ("code_generation.engine", "fidelity.pair", "models.load"):
        import_module(f"compressed_code.{module}")

_LIST, _TEXT = Layout(width="15rem"), Layout(width="34rem", height="9rem")
_DESCRIBED = {"description_width": "5.5rem"}


class Panel(VBox):
    """Controls, and below them the answer to what they say.

    Attributes:
        controls: name → widget; setting the value of one asks again.
        answer: HTML of the last answer, or of what is wrong.
        status: how long it took.
    """

    def __init__(self, controls: Controls, rows: Sequence[Box], ask: Callable[[Controls], str]) -> None:
        """Show the answer to what the controls say at the beginning.

        Args:
            controls: name → widget with a value.
            rows: the same, laid out.
            ask: from the controls to HTML.
        """
        self.controls, self._ask = controls, ask
        self.answer, self.status = HTML(), HTML()
        again = Button(description="Ask again", tooltip="for texts, once you have typed them")
        again.on_click(self.refresh)
        super().__init__([*rows, HBox([again, self.status]), self.answer])
        for control in controls.values():
            control.observe(self.refresh, "value")
        self.refresh()

    def refresh(self, _: object = None) -> None:
        """Ask, and show the answer; what is wrong is one line in its place."""
        self.status.value, started = "<i>computing …</i>", time.perf_counter()
        try:
            shown = self._ask(self.controls)
        except InputError as error:
            shown = answer_page(notice(str(error)))
        except KeyboardInterrupt:  # of the kernel: the panel stays as it is, and whatever was finished is stored
            shown = answer_page(notice("interrupted; what was measured by then is kept"))
        except Exception as error:
            if not isinstance(error, ModuleNotFoundError) or error.name not in _RUN_MODELS:
                # A fault of ours: ipywidgets would only log it, and the reader wait for ever.
                self.answer.value = answer_page(notice(f"{type(error).__name__}: {error}; the log has more"))
                self.status.value = ""
                raise
            words = "and the answer is not among the stored tables; `make env` installs what models need"
            shown = answer_page(notice(f"{error.name} is not installed here, {words}"))
        self.answer.value = shown
        self.status.value = escape(f"{time.perf_counter() - started:.2f} s")


def first_tokens_panel(models: Sequence[str], *, registry: Registry | None = None, directory: Path = RESULTS) -> Panel:
    """What models want to write first.

    Args:
        models: registry keys, paths or Hub ids that are chosen at the beginning.
        registry: by default data/models.yml.
        directory: where tables are stored.
    """
    registry = registry or load_registry()
    views = [(label, view) for view, label in first_tokens.VIEWS.items()]
    controls = _model_controls(models, registry) | {
        "context": _dropdown("context", [(name, name) for name in CONTEXTS[:-1]]),
        "language": _dropdown("keywords of", language_options()),
        "form": _dropdown("form", form_options()),
        "view": _dropdown("show", views),
    }
    controls["view"].layout = Layout(width="20rem")

    def ask(chosen: Controls) -> str:
        names = _names(chosen)
        rest = {name: chosen[name].value for name in ("context", "language", "form", "view")}
        return first_tokens.answer(first_tokens.FirstTokens(names, **rest), registry=registry, directory=directory)

    lower = [controls[name] for name in ("context", "language", "form", "view")]
    return Panel(controls, [_model_row(controls), _row(lower)], ask)


def next_tokens_panel(
    models: Sequence[str],
    variants: Sequence[str],
    text: str,
    *,
    registry: Registry | None = None,
    directory: Path = RESULTS,
) -> Panel:
    """What models expect after a text, and what each would write.

    Args:
        models, variants, text: chosen at the beginning; variants are quantizations, or "" for the model itself.
        registry: by default data/models.yml.
        directory: where tables are stored.
    """
    registry = registry or load_registry()
    controls = _model_controls(models, registry, variants) | {
        "text": _textarea("text", text),
        "context": _dropdown("context", [(name, name) for name in CONTEXTS]),
    }

    def ask(chosen: Controls) -> str:
        asked = next_tokens.NextTokens(_names(chosen), chosen["text"].value, chosen["context"].value)
        return next_tokens.answer(asked, registry=registry, directory=directory)

    return Panel(controls, [_model_row(controls), _row([controls["text"], controls["context"]])], ask)


def own_program_panel(
    base: str, quantization: str, program: str, *, registry: Registry | None = None, directory: Path = RESULTS
) -> Panel:
    """A program with every token marked that a base and a candidate do not agree on.

    Args:
        base: registry key, path or Hub id.
        quantization: row of data/quantizations.yml that makes the candidate of it.
        program: the text, chosen at the beginning.
        registry: by default data/models.yml.
        directory: where tables are stored.
    """
    registry = registry or load_registry()
    controls = {
        "base": _dropdown("base", model_options(registry), base),
        "candidate": _dropdown("candidate", [("the base", AS_IT_IS), *model_options(registry)]),
        "variant": _dropdown("variant", variant_options(), quantization),
        "typed_base": _textarea("base, a path", ""),
        "typed": _textarea("candidate, a path", ""),
        "language": _dropdown("language", language_options()[1:]),
        "program": _textarea("program", program),
    }
    for name in ("typed_base", "typed"):
        controls[name].layout = Layout(width="25rem", height="2.2rem")
        controls[name].style = {"description_width": "9rem"}

    def ask(chosen: Controls) -> str:
        first = typed_model(chosen["typed_base"].value) or chosen["base"].value
        typed = typed_model(chosen["typed"].value)
        (second,) = (typed,) if typed else names_of([chosen["candidate"].value or first], "", [chosen["variant"].value])
        asked = own_program.OwnProgram(first, second, chosen["program"].value, chosen["language"].value)
        return own_program.answer(asked, registry=registry, directory=directory)

    rows = [("base", "candidate", "variant"), ("typed_base", "typed"), ("program", "language")]
    return Panel(controls, [_row([controls[name] for name in row]) for row in rows], ask)


def _model_controls(models: Sequence[str], registry: Registry, variants: Sequence[str] = (AS_IT_IS,)) -> Controls:
    return {
        "models": _list("models", model_options(registry), models),
        "variants": _list("variants", variant_options(), variants),
        "typed": _textarea("more models", "", "a path or Hub id a line"),
    }


def _offering(options: Options, *values: str) -> Options:
    """The options, and values that are none of them, under their own names: a path, the draw of a quantization."""
    known = {value for _, value in options}
    return [*options, *((value, value) for value in values if value not in known)]


def _list(words: str, options: Options, values: Sequence[str]) -> SelectMultiple:
    shape = {"rows": 7, "layout": Layout(width="19rem"), "style": _DESCRIBED}
    return SelectMultiple(options=_offering(options, *values), value=tuple(values), description=words, **shape)


def _model_row(controls: Controls) -> Box:
    controls["typed"].layout = Layout(width="19rem", height="8rem")
    return _row([controls[name] for name in ("models", "variants", "typed")])


def _names(chosen: Controls) -> tuple[str, ...]:
    return names_of(chosen["models"].value, chosen["typed"].value, chosen["variants"].value)


def _dropdown(words: str, options: Options, value: str | None = None) -> Dropdown:
    value = options[0][1] if value is None else value
    return Dropdown(options=_offering(options, value), value=value, description=words, layout=_LIST, style=_DESCRIBED)


def _textarea(words: str, value: str, hint: str = "") -> Textarea:
    """Asks once the reader has left it, not with every key."""
    shape = {"layout": _TEXT, "style": _DESCRIBED}
    return Textarea(value=value, description=words, placeholder=hint, continuous_update=False, **shape)


def _row(widgets: Sequence[Widget]) -> Box:
    return Box(list(widgets), layout=Layout(flex_flow="row wrap"))
