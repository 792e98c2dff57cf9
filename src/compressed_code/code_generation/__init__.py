"""Programs that a model writes: batched, repeatable, resumable.

requests        what is asked, how, and what comes back
preparation     a model and a benchmark made ready
sampling        the next token, and whether rounding could have decided it
sequence        one program in the making; the stop rule
batch_of_one    one program at batch 1
engine          many programs at the same time
sample_files    write them to a file and go on after a kill
near_ties       how many choices rounding could have turned
"""

from compressed_code.code_generation.requests import Completion, Request, Settings

__all__ = ["Completion", "Request", "Settings"]
