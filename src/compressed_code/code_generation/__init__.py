"""Programs that a model writes: batched, repeatable, resumable.

requests        what is asked, how, and what comes back
choice          the next token, and whether rounding could have decided it
row             one program in the making; the stop rule
alone, slots    one program at batch 1; the key/value cache of many
engine          many programs at the same time
sample_files    write them to a file and go on after a kill
"""

from compressed_code.code_generation.engine import generate
from compressed_code.code_generation.requests import (
    Completion,
    Request,
    Settings,
    chat_ids,
    end_ids,
    input_ids,
    make_requests,
    prompt_ids,
)
from compressed_code.code_generation.sample_files import batch_differences, generate_to_file

__all__ = [
    "Completion",
    "Request",
    "Settings",
    "batch_differences",
    "chat_ids",
    "end_ids",
    "generate",
    "generate_to_file",
    "input_ids",
    "make_requests",
    "prompt_ids",
]
