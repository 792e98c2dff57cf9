"""The parallel programs are real: each prints what its siblings print, wherever its toolchain is present."""

import shutil
import subprocess

import pytest

from compressed_code.registry.languages import PROGRAMS_DIRECTORY, load_languages

EXPECTED = {path.stem: path.read_text() for path in sorted((PROGRAMS_DIRECTORY / "expected").glob("*.txt"))}

# Language → commands, run in an empty folder; {source} is the program, ./program what a compiler makes of it.
COMMANDS = {
    "python": ["python3 {source}"],
    "java": ["java {source}"],
    "go": ["go run {source}"],
    "javascript": ["node {source}"],
    "cpp": ["g++ -std=c++17 -Wall -Wextra -Werror -o program {source}", "./program"],
    "php": ["php {source}"],
    "ruby": ["ruby {source}"],
    "c": ["gcc -std=c11 -Wall -Wextra -Werror -o program {source}", "./program"],
    "csharp": ["mcs -out:program.exe {source}", "mono program.exe"],
    "rust": ["rustc --edition 2021 -o program {source}", "./program"],
}


# `make test` runs three programs of each language, others in each; the long tests run all of them.
def some_of(key: str) -> list[str]:
    names = list(EXPECTED)
    first = list(COMMANDS).index(key)
    return [names[(first + step * len(names) // 3) % len(names)] for step in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("key", COMMANDS)
def test_some_programs_print_the_same(key, tmp_path):
    assert_printed(key, some_of(key), tmp_path)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("key", COMMANDS)
def test_programs_print_the_same(key, tmp_path):
    assert_printed(key, list(EXPECTED), tmp_path)


def assert_printed(key, names, folder):
    language = load_languages()[key]
    tool = COMMANDS[key][0].split()[0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    for name in names:
        source = PROGRAMS_DIRECTORY / key / f"{name}{language.extension}"
        for command in COMMANDS[key]:
            words = command.format(source=source).split()
            finished = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
            assert finished.returncode == 0, f"{key}/{name}: {finished.stderr}"
        assert finished.stdout == EXPECTED[name], f"{key}/{name}"


def test_every_program_has_its_expected_output_and_clean_text():
    for language in load_languages().values():
        paths = sorted((PROGRAMS_DIRECTORY / language.key).iterdir())
        assert [path.stem for path in paths] == list(EXPECTED)
        for path in paths:
            text = path.read_text(encoding="ascii")
            assert text.endswith("\n") and "\r" not in text
            assert all(line == line.rstrip() for line in text.splitlines()), path
