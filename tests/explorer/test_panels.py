"""Panels without a browser: a control asks again when its value changes, and whatever goes wrong is told."""

import re

import pytest

pytest.importorskip("ipywidgets", reason="is not installed; `make env` installs it")

from compressed_code.explorer import panels
from compressed_code.registry.languages import load_languages, load_programs


def shown(panel) -> str:
    return re.sub(r"<style>.*?</style>", "", panel.answer.value, flags=re.DOTALL)


def test_every_control_of_the_first_panel_asks_again(tmp_path):
    panel = panels.first_tokens_panel(["zoo-xs"], directory=tmp_path)
    assert re.fullmatch(r"\d+\.\d\d s", panel.status.value)
    seen = [shown(panel)]
    for name, value in {
        "models": ("zoo-xs", "zoo-s"),
        "context": "newline",
        "language": "python",
        "form": "space",
        "view": "languages",
        "variants": ("", "rtn-2-rows"),
    }.items():
        panel.controls[name].value = value
        seen.append(shown(panel))
        assert 'class="notice"' not in seen[-1], name
    assert len(set(seen)) == len(seen)


def test_a_path_that_is_typed_is_a_model(tmp_path, tmp_path_factory):
    from compressed_code.registry.lookup import load_registry

    panel = panels.first_tokens_panel(["zoo-xs"], directory=tmp_path)
    panel.controls["models"].value = ()
    assert "no model is chosen" in shown(panel)
    panel.controls["typed"].value = str(load_registry().models["zoo-s"].location)
    assert "zoo-s (%)" in shown(panel)
    panel.controls["typed"].value = "<b>no/such</b>"
    assert "&lt;b&gt;no/such&lt;/b&gt;: no such file" in shown(panel) and "<b>" not in shown(panel)
    panel.controls["models"].value = ("zoo-xs",)
    panel.controls["typed"].value = ""
    assert "Zoo XS (%)" in shown(panel)


def test_what_is_given_and_stands_in_no_list_is_offered_too(tmp_path):
    """A path, and the draw of a calibrated quantization, as a notebook's parameters may have them."""
    from compressed_code.registry.lookup import load_registry

    path = str(load_registry().models["zoo-xs"].location)
    panel = panels.first_tokens_panel([path], directory=tmp_path)
    assert panel.controls["models"].value == (path,) and "zoo-xs (%)" in shown(panel)
    panel = panels.next_tokens_panel(["zoo-xs"], ["no-such-row"], "x", directory=tmp_path)
    assert "no-such-row" in shown(panel) and "quantizations.yml" in shown(panel)


def test_the_panel_of_a_text(tmp_path):
    panel = panels.next_tokens_panel(["zoo-l"], ["", "rtn-2-g32"], "def f(x):\n    return", directory=tmp_path)
    assert shown(panel).count("next token") == 2
    before = shown(panel)
    panel.controls["text"].value = "class A:\n    def"
    assert shown(panel) != before and not panel.controls["text"].continuous_update


def test_the_panel_of_a_program(tmp_path):
    program = load_programs(load_languages()["python"])["binary_search"]
    panel = panels.own_program_panel("zoo-l", "rtn-2-g32", program, directory=tmp_path)
    assert shown(panel).count("<mark") > 3
    panel.controls["variant"].value = ""
    assert "both models are the same" in shown(panel)
    panel.controls["candidate"].value = "zoo-l-instruct"
    assert "Zoo L Instruct puts another token first" in shown(panel)


@pytest.mark.parametrize(
    ("fault", "words"),
    [(KeyboardInterrupt(), "interrupted"), (ValueError("<i>odd</i>"), "ValueError: &lt;i&gt;odd&lt;/i&gt;")],
)
def test_an_interruption_and_a_fault_leave_a_panel_that_goes_on(fault, words):
    broken = [True]

    def ask(controls):
        if broken:
            raise fault
        return "right again"

    control = panels.Textarea()
    if isinstance(fault, KeyboardInterrupt):
        panel = panels.Panel({"text": control}, [], ask)
    else:
        broken.clear()
        panel = panels.Panel({"text": control}, [], ask)
        broken.append(True)
        with pytest.raises(ValueError, match="odd"):
            panel.refresh()
    assert words in panel.answer.value and "computing" not in panel.status.value
    broken.clear()
    control.value = "more"
    assert panel.answer.value == "right again"
