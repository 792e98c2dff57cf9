"""Calibration text that this project writes itself: generated tasks with their solutions."""

from functools import cache

import numpy as np

TASK_SEED = 7  # of the generated tasks that calibrate; the held-out ones are never among them
WRITTEN = 2000


@cache
def task_texts() -> tuple[str, ...]:
    """All of them, in order."""
    from compressed_code.training_data.tasks import training_tasks, training_text

    return tuple(training_text(task) for task in training_tasks(TASK_SEED, WRITTEN))


def drawn_texts(texts: tuple[str, ...], count: int, seed: int) -> list[str]:
    """So many texts, or all where there are fewer, in random order; the same seed draws the same."""
    return [texts[number] for number in np.random.default_rng(seed).permutation(len(texts))[:count]]
