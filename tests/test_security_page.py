"""The page on security says how many programs attack the sandbox, and what it says is not done is nowhere done."""

import re

import yaml

from compressed_code.core.paths import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SOURCES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")}
JAILED = {"inside", "in_sandbox"}  # folders of what runs in a jail alone


def test_the_counts_are_those_of_the_suites():
    counts = dict(re.findall(r"\| `(tests/sandbox/[\w/]+\.yml)` \| (\d+) \|", PAGE))
    suites = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "sandbox").glob("*/*.yml"))
    assert sorted(counts) == suites
    assert {name: int(count) for name, count in counts.items()} == {
        name: len(yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))) for name in suites
    }


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`(tests/[\w/.]+)`", PAGE)
    assert named and not [name for name in named if not (ROOT / name).exists()]


def test_no_code_of_a_checkpoint_is_asked_for_and_nothing_but_tensors_is_unpickled():
    text = "\n".join(SOURCES.values())
    assert not re.search(r"trust_remote_code\s*=\s*True", text)
    loads = re.findall(r"torch\.load\([^\n]*", text)
    assert loads and all("weights_only=True" in call for call in loads)
    unpickling = [path for path, source in SOURCES.items() if re.search(r"\bpickle\.loads?\(|\bUnpickler\(", source)]
    assert all(JAILED & set(path.parts) for path in unpickling)
