"""What a command imports: nothing heavy before it runs a model, and of transformers no quantization library."""

import subprocess
import sys

import pytest


def _printed(code: str) -> list[str]:
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.split()


def test_a_command_line_is_parsed_without_anything_heavy():
    code = (
        "import contextlib, io, sys\n"
        "from compressed_code.__main__ import COMMANDS, main\n"
        "for command in COMMANDS:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main([command.__name__.rsplit('.', 1)[1].replace('_', '-'), '--help'])\n"
        "print(*sorted({'torch', 'transformers', 'gguf', 'pandas', 'scipy', 'matplotlib'} & sys.modules.keys()))"
    )
    assert _printed(code) == []


@pytest.mark.slow
def test_quantization_libraries_are_hidden_in_a_command_alone():
    """And can be imported as ever after transformers' model code is there."""
    code = (
        "import importlib.util, sys\n"
        "from compressed_code.core.lean_imports import import_leanly, import_model_code\n"
        "import_model_code()\n"
        "assert 'transformers' not in sys.modules  # a session of the user's\n"
        "libraries = ('hqq', 'torchao', 'optimum', 'peft')\n"
        "there = [name for name in libraries if importlib.util.find_spec(name)]\n"
        "import_leanly()\n"
        "import_model_code()\n"
        "import transformers.models.llama.modeling_llama\n"
        "assert not any(name in sys.modules for name in libraries)\n"
        "assert [name for name in libraries if importlib.util.find_spec(name)] == there\n"
        "print(*there)"
    )
    assert "torchao" in _printed(code)  # transformers would have imported it
