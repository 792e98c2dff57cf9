"""What computing in bfloat16 on a device does, with no compression at all: the noise beside which a variant stands."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from compressed_code.measurements.readings import TRANSLATIONS, Text, programs_read, reading_of
from compressed_code.measurements.subjects.models import ModelSubject
from compressed_code.measurements.tables import measurement
from compressed_code.models.devices import CPU
from compressed_code.models.precision import precision_of
from compressed_code.registry.languages import KEYWORDS_FILE, PROGRAMS_DIRECTORY


@measurement(
    version=1,
    subject=ModelSubject(),
    inputs=[KEYWORDS_FILE, PROGRAMS_DIRECTORY],
    packages=["torch", "transformers", "pygments"],
)
def bfloat16_noise(
    model: Path, device: str = CPU, texts: Sequence[Sequence[str]] = (), translations: int = TRANSLATIONS
) -> pd.DataFrame:
    """A model on the processor beside itself in bfloat16 on a device, as `measurements.fidelity.fidelity`.

    `noise_floor` rounds results to bfloat16 and computes on; this is the arithmetic itself, with the sums of a device.

    Args:
        device: `cpu`, `cuda`, `cuda:N`, or `auto` (`models.devices.placed`).
        texts: as of `text_fidelity`; by default the parallel programs that `fidelity` reads.
        translations: as of `fidelity`; without effect on texts that are given.

    Returns:
        The columns of `token_fidelity`, the candidate being the model in bfloat16, and `precision` and `device` of what
        each was computed in and on.
    """
    from compressed_code.fidelity.pair import token_fidelity
    from compressed_code.models.load import load_model
    from compressed_code.models.precision import in_bfloat16

    precision = precision_of(model)
    reading = reading_of(model, [Text(*text) for text in texts] or programs_read(translations), precision)
    rounded = in_bfloat16(load_model(model, device))
    tokens = token_fidelity(
        reading.runner,
        rounded,
        reading.documents,
        reading.start_ids,
        keyword_ids=reading.keyword_ids,
        entries=len(reading.vocabulary),
        progress="bfloat16",
    )
    told = {"precision": f"{precision} and bfloat16", "device": f"cpu and {rounded.device.type}"}
    return tokens.assign(**{name: pd.Categorical([text]).repeat(len(tokens)) for name, text in told.items()})
