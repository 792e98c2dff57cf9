"""What quantization libraries need around them: one-line errors, one thread, and the limits of the file format."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from compressed_code.core.errors import InputError, Unavailable, in_one_line


def without_compilation() -> None:
    """Let GPTQModel load and run its checkpoints without compiling anything, and on two cores.

    To be called before a checkpoint of 2, 3 or 8 bits is opened through transformers or GPTQModel: both would compile
    the decoder for half a minute first.
    """
    os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")
    os.environ.setdefault("GPTQMODEL_DISABLE_PACK_EXT", "1")
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
    import torch._dynamo

    torch._dynamo.config.disable = True


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: sums over several round otherwise, and a library may then give other codes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def never_zero(quantizer: type) -> contextlib.AbstractContextManager[None]:
    """Let a library's quantizer choose zero points from 1, the lowest that GPTQ's version 1 format can hold.

    Where its min-max rule gives 0, the zero point becomes 1 and the step wide enough for all weights, as in
    `round_to_nearest`; GPTQ then makes up for that rounding like for any other. Written as it is, a zero point of 0
    spoils those of its neighbours in the same word (GPTQModel: "underflow probability of ~<=13%").

    Args:
        quantizer: the class `Quantizer` of GPTQModel or auto-gptq; both descend from the GPTQ authors' one.
    """
    original = quantizer.find_params

    def find_params(self: Any, x: Any, weight: bool = False) -> None:
        original(self, x, weight)
        is_zero = self.zero < 1
        self.scale = self.scale.where(~is_zero, self.scale * self.maxq / (self.maxq - 1))
        self.zero = self.zero.clamp(min=1)

    return patch.object(quantizer, "find_params", find_params)


@contextlib.contextmanager
def one_line(path: Path, library: str) -> Iterator[None]:
    """What a library raises, as one line; it may be any exception.

    Raises:
        Unavailable: the library does not take this model.
    """
    try:
        yield
    except (InputError, OSError):
        raise
    except Exception as error:
        reason = in_one_line(error)
        raise Unavailable(f"{path}: {library} cannot quantize it ({type(error).__name__}: {reason})") from error
