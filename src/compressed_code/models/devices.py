"""Where models compute: the processor, or GPUs that the variable `COMPRESSED_CODE_DEVICE` names.

Numbers of a GPU differ from a processor's in their last digits, so tables that models computed there have keys of their
own (`measurements.stored_tables`). Variants, cold starts and everything else are made on the processor.
"""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from compressed_code.core.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DEVICE_VARIABLE = "COMPRESSED_CODE_DEVICE"
CPU, SPREAD = "cpu", "auto"
FOR_WEIGHTS = 0.8  # of a GPU's free memory; the rest is for what is computed


def chosen_device() -> str:
    """`cpu`, or what the variable says: `cuda`, `cuda:N`, or `auto`, all GPUs together, by accelerate's device map.

    Raises:
        InputError: no such device here.
    """
    name = os.environ.get(DEVICE_VARIABLE, CPU)
    if name == CPU:
        return CPU
    import torch

    if name != SPREAD and not re.fullmatch(r"cuda(:\d+)?", name):
        raise InputError(f"{DEVICE_VARIABLE}={name}: no such device; cpu, cuda, cuda:N or auto (all GPUs) are")
    there, number = torch.cuda.device_count(), int(name.partition(":")[2] or 0)
    if number >= there:
        raise InputError(
            f"{DEVICE_VARIABLE}={name}: torch finds {there} GPUs here; choose another, or use a build of torch for GPUs"
        )
    return name


def kind_of_device() -> str:
    """`cpu` or `gpu`, what decides the last digits."""
    return CPU if chosen_device() == CPU else "gpu"


def placed(model: "PreTrainedModel", device: str) -> "PreTrainedModel":
    """A loaded model on a device; with `auto` its layers one after the other on as many GPUs as it needs.

    Raises:
        InputError: it does not fit.
    """
    if device != SPREAD:
        return model.to(device)
    import torch
    from accelerate import dispatch_model

    room = {number: torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count())}
    return dispatch_model(model, device_map(model, room))


def device_map(model: "PreTrainedModel", room: Mapping[int, int]) -> dict[str, int]:
    """Which GPU holds which part: layers stay whole and in order, `FOR_WEIGHTS` of each GPU's free memory is filled.

    Args:
        room: free bytes of each GPU.

    Raises:
        InputError: the model does not fit.
    """
    from accelerate import infer_auto_device_map

    weights = {number: int(FOR_WEIGHTS * size) for number, size in room.items()}
    found = infer_auto_device_map(model, weights, no_split_module_classes=list(model._no_split_modules or ()))
    if any(not isinstance(place, int) for place in found.values()):
        needed = sum(part.nbytes for part in (*model.parameters(), *model.buffers())) / 1e9
        raise InputError(
            f"the model takes {needed:.3g} GB, and {len(room)} GPUs have {sum(weights.values()) / 1e9:.3g} GB for it; "
            f"take more or larger ones, or unset {DEVICE_VARIABLE} to compute on the processor"
        )
    return found
