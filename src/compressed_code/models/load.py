"""Open a checkpoint as a plain transformers model in float32 or float64, whatever it is stored in.

Every weight is decoded by `compressed_code.checkpoints`, not by a kernel, so that a number does not depend on which
kernel happens to be installed, and every command reads one and the same model.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.models.devices import placed
from compressed_code.models.double_precision import in_float64
from compressed_code.models.packed_layers import pack_linear_layers
from compressed_code.models.precision import Precision
from compressed_code.models.transformers_model import (
    TransformersModel,
    check_report,
    find_model,
    one_line,
    without_zero_biases,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_model(path: Path, device: str = "cpu", dtype: Precision = "float32") -> "PreTrainedModel":
    """A model in evaluation mode.

    In float64 it has the weights that it has in float32, computes with them in float64 throughout
    (`compressed_code.models.double_precision`) whoever calls it, and so do its positions.

    Args:
        path: a checkpoint folder in any form of `checkpoints.storage_forms`, or a GGUF file.
        device: where torch puts it, or `auto` (`devices.placed`).
        dtype: of the weights and of the arithmetic.

    Raises:
        InputError: a broken or unsupported checkpoint; a tensor that is missing, has no place in the model, or holds
            NaN or infinity. The message names file and tensor. Code that comes with a checkpoint is never run.
    """
    if dtype == "float32":
        return placed(_opened(path), device).eval()
    with in_float64():
        model = _opened(path, experts="eager")  # torch's grouped products know no float64
    return _in_float64_throughout(placed(model.double(), device).eval())


def load_reader(path: Path, device: str = "cpu", dtype: Precision = "float32") -> "PreTrainedModel":
    """As `load_model`, for texts that are given: in float32 on the processor its layers are packed.

    Such a model can be neither saved nor trained (`packed_layers.pack_linear_layers`).
    """
    return pack_linear_layers(load_model(path, device, dtype))


def _opened(path: Path, experts: str | None = None) -> "PreTrainedModel":
    """With all its weights; `experts` names transformers' way to compute them, by default its own choice."""
    found = find_model(open_checkpoint(path))
    if experts:
        found.config._experts_implementation = experts
    model = _filled(found)
    _take_generation_settings(model, path)
    return model


def _filled(found: TransformersModel) -> "PreTrainedModel":
    """The model with all its weights; transformers merges experts, ties and renames as for its own files."""
    import torch

    checkpoint = found.checkpoint
    names = without_zero_biases(found)
    state = {taken: torch.from_numpy(checkpoint.weight(name)) for taken, name in names.items()}
    with one_line(checkpoint.path):
        model, report = found.model_class.from_pretrained(
            None,
            config=found.config,
            state_dict=state,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # they are told by check_report
            output_loading_info=True,
        )
    check_report(checkpoint.path, report)
    return model


def _take_generation_settings(model: "PreTrainedModel", path: Path) -> None:
    """What ends a text may stand in generation_config.json alone."""
    if (path / "generation_config.json").is_file():
        from transformers import GenerationConfig

        with one_line(path):
            model.generation_config = GenerationConfig.from_pretrained(path, local_files_only=True)


def _in_float64_throughout(model: "PreTrainedModel") -> "PreTrainedModel":
    """The model, and its part below the output matrix, wrapped so that each call computes in float64 throughout."""
    for part in {model, model.base_model}:
        part.forward = in_float64()(part.forward)
    return model
