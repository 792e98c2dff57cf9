"""What an error says is one line that no name in it can turn into something else on a terminal."""

from compressed_code.core.command_line import BAD_INPUT, run_command
from compressed_code.core.errors import InputError, in_one_line


def test_signs_that_move_a_terminal_are_escaped():
    assert in_one_line("a\x1b[2J\u202eb\ud800\n c") == r"a\x1b[2J\u202eb\ud800 c"


def test_the_command_line_prints_none_of_a_name(capsys):
    def declare(commands):
        def run(_):
            raise InputError("samples\x1b[31m\udcff.jsonl: holds other samples\u202e")

        commands.add_parser("score").set_defaults(run=run)

    assert run_command("program", "", [declare], ["score"]) == BAD_INPUT
    assert capsys.readouterr().err == "program score: samples\\x1b[31m\\udcff.jsonl: holds other samples\\u202e\n"
