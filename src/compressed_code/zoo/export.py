"""Write a trained model as an ordinary Hugging Face folder."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compressed_code.checkpoints.model_files import TRAINING_RECORD
from compressed_code.core.atomic_files import follow_umask
from compressed_code.core.errors import InputError
from compressed_code.zoo.recipes import Recipe, Size


def export_model(
    model: Any,
    tokenizer_folder: Path,
    folder: Path,
    *,
    recipe: Recipe,
    size: Size,
    losses: Sequence[float],
    digests: Mapping[str, str],
) -> None:
    """Put weights (float16), configuration, tokenizer and the record of the training into `folder`.

    The folder appears whole: it is written beside and renamed, replacing an earlier one.

    Args:
        losses: training loss of every step, nats per token.
        digests: what the training data was (`materials`, `corpus`) and the hash of the float32 weights (`weights`).

    Raises:
        InputError: the disk is full or not writable; nothing half-written stays.
    """
    import torch
    from safetensors import SafetensorError

    part, retired = (folder.with_name(f".{folder.name}.{state}") for state in ("part", "old"))
    shutil.rmtree(part, ignore_errors=True)
    try:
        model.to(torch.float16).save_pretrained(part)
        for file in tokenizer_folder.glob("tokenizer*.json"):
            shutil.copy2(file, part / file.name)
        tail = losses[-50:]
        record = {
            "recipe": recipe.model_dump(),
            "size": size.model_dump(),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "steps": len(losses),
            "training_loss_first": losses[0],
            "training_loss_last_50_steps": sum(tail) / len(tail),
            **digests,
        }
        (part / TRAINING_RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        follow_umask(part)
        if folder.exists():
            shutil.rmtree(retired, ignore_errors=True)
            folder.rename(retired)
        part.rename(folder)
    except (OSError, SafetensorError) as error:  # safetensors wraps the system's errors in its own
        raise InputError(f"{folder}: the model could not be written ({error}); free disk space and run again") from None
    finally:  # whatever stopped it: nothing half-written stays, and an earlier model comes back
        shutil.rmtree(part, ignore_errors=True)
        if retired.exists() and not folder.exists():
            retired.rename(folder)
        shutil.rmtree(retired, ignore_errors=True)
