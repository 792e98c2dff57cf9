"""What this machine has: memory, disk, a Hub in reach, a token, a GPU."""

import shutil
from pathlib import Path

from compressed_code.checkpoints.hub_access import no_hub
from compressed_code.core.memory import free_memory
from compressed_code.planning.plan import Machine


def this_machine() -> Machine:
    """What is free here now; one request asks whether the Hub answers, nothing is downloaded."""
    from huggingface_hub import constants, get_token

    cache = Path(constants.HF_HUB_CACHE)
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return Machine(free_memory(), shutil.disk_usage(there).free, no_hub(), get_token() is not None)


def has_gpu() -> bool:
    """Whether torch sees one."""
    import torch

    return torch.cuda.is_available()
