"""The matrix of proof: architecture × stored form × command, on tiny random checkpoints against transformers.

    python tests/proof_matrix.py [--only NAME]     run all of it (minutes) and write its tables into docs/formats.md

Every architecture goes through every command in float32 and bfloat16, every form on `EVERY_FORM`, and of the rest a
draw with a fixed seed. What is refused is declared in `REFUSED`; anything else that is not equal is a fault.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.code_generation.engine import write_programs
from compressed_code.code_generation.requests import Request, Settings
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError
from compressed_code.core.paths import ROOT
from compressed_code.fidelity.pair import EncodedText, token_fidelity
from compressed_code.models.load import load_model
from compressed_code.quantization.decoded_base import decode, plain_base
from compressed_code.quantization.engine import write_variant
from compressed_code.registry.quantizations import Quantization
from compressed_code.tokenizers.text_classes import TEXT_CLASSES
from compressed_code.tokenizers.vocabulary import Vocabulary
from proof_architectures import ARCHITECTURES, write_architecture
from proof_forms import FORMS, write_form

PAGE = ROOT / "docs" / "formats.md"
BEGIN, END = "<!-- matrix of proof: begin -->", "<!-- matrix of proof: end -->"
EVERY_FORM = ("llama", "qwen3_moe", "gemma2")
PLAIN = ("float32", "bfloat16")
SEED = 14
DRAWN = 3  # further forms of each architecture
IDS = (3, 7, 1, 40)
TEXT = (3, 7, 1, 40, 5, 22, 9, 9, 61, 13, 2, 80)
WIDTH = 96
VOCABULARY = Vocabulary(tuple(bytes([33 + place]) for place in range(WIDTH)), frozenset(), {}, lambda text: [])
CLOSE = 1e-4  # nats, between two orders of float32 sums
ROUGH = 0.2  # nats, what 8 bits may change in most places; a router may choose another expert in a few


class Subject:
    """A stored model, and what transformers says of the numbers it stands for."""

    def __init__(self, stored: Path, restored: Path, scratch: Path) -> None:
        self.stored, self.restored, self.scratch = stored, restored, scratch

    @cached_property
    def reference(self) -> PreTrainedModel:
        return AutoModelForCausalLM.from_pretrained(self.restored, dtype=torch.float32).eval()

    @cached_property
    def expected(self) -> np.ndarray:
        """[ids, vocabulary] log-probabilities after each of `IDS`."""
        with torch.inference_mode():
            return self.reference(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()

    @cached_property
    def loaded(self) -> PreTrainedModel:
        return load_model(self.stored)


def check_cold_start(subject: Subject) -> None:
    """With one id and several, whichever engine takes it."""
    for count in (1, len(IDS)):
        found = cold_start(subject.stored, IDS[:count]).log_probabilities
        np.testing.assert_allclose(found, subject.expected[count - 1], atol=CLOSE)


def check_fidelity(subject: Subject) -> None:
    """A stored model and a folder of its own decoded numbers differ by exactly nothing."""
    decoded = subject.scratch / "decoded"
    decoded.mkdir()
    decode(subject.stored, decoded)
    classes = pd.Categorical.from_codes(np.zeros(len(TEXT), int), categories=TEXT_CLASSES)
    document = EncodedText("text", "python", np.array(TEXT), classes)
    tokens = token_fidelity(subject.loaded, load_model(decoded), [document], [0])
    assert tokens["kl_nats"].max() == 0 and tokens["same_top"].all()
    np.testing.assert_array_equal(tokens["log_probability_base"], tokens["log_probability_candidate"])


def check_generate(subject: Subject) -> None:
    """Greedy ids of transformers, from a prompt with nothing before it."""
    settings = Settings(max_tokens=8, batch=2)
    requests = [Request("long", 0, IDS), Request("short", 0, IDS[:2])]
    written = {
        done.task_id: done for batch in write_programs(subject.loaded, VOCABULARY, requests, settings) for done in batch
    }
    for request in requests:
        ids = torch.tensor([request.input_ids])
        with torch.inference_mode():
            options = {"do_sample": False, "max_new_tokens": 8, "pad_token_id": 0, "eos_token_id": None}
            whole = subject.reference.generate(ids, attention_mask=torch.ones_like(ids), **options)
        if not written[request.task_id].near_ties:
            assert written[request.task_id].token_ids == tuple(whole[0, ids.shape[1] :].tolist())


def check_quantize(subject: Subject) -> None:
    """Eight bits a row, written, and read again by both ways."""
    row = Quantization(key="rtn", label="rtn", method="rtn", bits=8)
    with plain_base(subject.stored) as base:
        variant = write_variant(base, row, subject.scratch / "variant")
    assert open_checkpoint(variant).names
    with torch.inference_mode():
        loaded = load_model(variant)(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()
    found = cold_start(variant, IDS).log_probabilities
    np.testing.assert_allclose(found, loaded[-1], atol=CLOSE)
    change = np.abs(loaded - subject.expected)
    assert change.max() > 0 and np.median(change) < ROUGH, f"8 bits change a distribution by {change.max()} nats"


COMMANDS: Mapping[str, Callable[[Subject], None]] = {
    "cold start": check_cold_start,
    "fidelity": check_fidelity,
    "generate": check_generate,
    "quantize": check_quantize,
}

# (architecture, form, command), "*" for any → what the refusal says, and the way out in the page's words.
_FUSED = (
    "holds all experts at once, which cannot be quantized here; start from a checkpoint that stores them apart",
    "all experts lie in one tensor, which no method here takes apart; start from a checkpoint that stores them apart",
)
REFUSED: Mapping[tuple[str, str, str], tuple[str, str]] = {
    **{(name, "*", "quantize"): _FUSED for name in ("gpt_oss", "granitemoe", "llama4_text")},
    ("gpt2", "*", "quantize"): (
        "no linear layers in a decoder; this architecture cannot be quantized",
        "its layers are convolutions of width 1, which no method here takes for linear layers; name a GGUF file of it",
    ),
}


@dataclass(frozen=True)
class Case:
    """One stored model and the commands it goes through."""

    architecture: str
    form: str
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.architecture}, {self.form}"


def all_cases() -> list[Case]:
    """The whole matrix, each model once."""
    every = tuple(COMMANDS)
    chosen = {(name, form): every for name in ARCHITECTURES for form in PLAIN}
    chosen |= {(name, form): every for form in FORMS for name in tried_with(form)}
    draw = random.Random(SEED)
    for name in ARCHITECTURES:
        fitting = [form for form in FORMS if FORMS[form].applies(name)]
        for form in draw.sample(fitting, DRAWN):
            chosen.setdefault((name, form), tuple(draw.sample(every, 2)))
    return [Case(*pair, commands) for pair, commands in chosen.items()]


def sampled_cases(count: int) -> list[Case]:
    """Some of them, the same every time; one command each, all commands equally often."""
    picked = random.Random(SEED).sample([case for case in all_cases() if len(case.commands) == len(COMMANDS)], count)
    commands = tuple(COMMANDS)
    return [Case(case.architecture, case.form, (commands[place % len(commands)],)) for place, case in enumerate(picked)]


def tried_with(form: str) -> tuple[str, ...]:
    """The architectures that a form goes through every command with."""
    return ("gpt_oss",) if form == "MXFP4 of gpt-oss" else EVERY_FORM


def declared(architecture: str, form: str, command: str) -> tuple[str, str] | None:
    """What `REFUSED` says of a cell."""
    for names, said in REFUSED.items():
        if all(name in ("*", own) for name, own in zip(names, (architecture, form, command), strict=True)):
            return said
    return None


def run_case(case: Case, folder: Path) -> dict[str, str]:
    """Command → "yes", or "refused" where `REFUSED` says so.

    Raises:
        AssertionError: a result that is not the reference's, or a refusal that is not declared, or the other way round.
    """
    plain = write_architecture(folder / "plain", case.architecture, width=FORMS[case.form].width)
    stored, restored = write_form(plain, folder / "form", case.form)
    found = {}
    for command in case.commands:
        scratch = folder / command.replace(" ", "-")
        scratch.mkdir()
        found[command] = _outcome(case, command, Subject(stored, restored, scratch))
    return found


def _outcome(case: Case, command: str, subject: Subject) -> str:
    expected = declared(case.architecture, case.form, command)
    try:
        COMMANDS[command](subject)
    except InputError as error:
        named = str(subject.stored) in str(error) and "\n" not in str(error)
        assert named, f"{case}, {command}: no line that names the model: {error}"
        assert expected, f"{case}, {command}: refused, which is not declared: {error}"
        assert re.search(expected[0], str(error)), f"{case}, {command}: {error}"
        return "refused"
    assert expected is None, f"{case}, {command}: is declared as refused, and works"
    return "yes"


# --- the page --------------------------------------------------------------------------------------------------------


def page_block(outcome: Callable[[str, str, str], str]) -> str:
    """The tables of docs/formats.md.

    Args:
        outcome: of an architecture, a form and a command: "yes" or "refused".
    """
    notes: list[str] = []

    def cell(architecture: str, forms: tuple[str, ...], command: str) -> str:
        if all(outcome(architecture, form, command) == "yes" for form in forms):
            return "yes"
        reason = next(filter(None, (declared(architecture, form, command) for form in forms)))[1]
        if reason not in notes:
            notes.append(reason)
        return f"no ({notes.index(reason) + 1})"

    head = f"| architecture | {' | '.join(COMMANDS)} |"
    lines = [head, "|---" * (1 + len(COMMANDS)) + "|"]
    for name in ARCHITECTURES:
        lines.append(f"| {name} | {' | '.join(cell(name, PLAIN, command) for command in COMMANDS)} |")
    lines += ["", head.replace("architecture", "stored form"), lines[1]]
    for form in FORMS:
        cells = []
        for command in COMMANDS:
            found = {cell(name, (form,), command) for name in tried_with(form)}
            cells.append(", ".join(sorted(found)))
        lines.append(f"| {form} | {' | '.join(cells)} |")
    further = sum(len(case.commands) < len(COMMANDS) for case in all_cases())
    counts = (
        f"{len(ARCHITECTURES)} architectures, {len(FORMS)} stored forms, {further} further pairs drawn with a seed."
    )
    remarks = [f"{place}. {note}" for place, note in enumerate(notes, 1)]
    return "\n".join([BEGIN, "", counts, "", *lines, "", *remarks, *([""] if remarks else []), END])


def write_page(outcome: Callable[[str, str, str], str]) -> None:
    """Put the tables in their place in the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(before + page_block(outcome) + after, encoding="utf-8")


def declared_outcome(architecture: str, form: str, command: str) -> str:
    """What should be found."""
    return "refused" if declared(architecture, form, command) else "yes"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", metavar="NAME", help="cases whose name holds this; the page is left alone")
    only = options.parse_args().only
    found, faults, began = {}, 0, time.process_time()
    for case in all_cases():
        if only and only not in str(case):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for command in case.commands:
                place = Path(folder) / command.replace(" ", "-")
                try:
                    alone = Case(case.architecture, case.form, (command,))
                    found[case.architecture, case.form, command] = run_case(alone, place)[command]
                except Exception as error:
                    faults += 1
                    text = " ".join(str(error).split())[:300]
                    print(f"{case}, {command}: {type(error).__name__}: {text}", flush=True)
    print(f"{len(found)} cells as declared, {faults} faults, {time.process_time() - began:.0f} s of processor time")
    if faults or only:
        sys.exit(bool(faults))
    write_page(lambda *cell: found[cell])


if __name__ == "__main__":
    main()
