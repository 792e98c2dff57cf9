"""Which token comes next, and whether rounding could have decided it.

Sampling takes the largest of `logit / temperature + Gumbel noise` (Gumbel 1954; Maddison et al. 2014, A* Sampling,
§2), so greedy and sampled choices are both a largest number. How near the second largest is says how much error the
logits may have had. Drawing from the cumulated distribution would be unsure for every unlikely token.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import torch


class Choice(NamedTuple):
    """The next token of every row.

    Attributes:
        tokens: [rows] ids.
        sure: [rows] whether every distribution within the given error gives the same token.
    """

    tokens: torch.Tensor
    sure: torch.Tensor


def random_stream(seed: int, task_id: str, sample: int, position: int, width: int) -> np.ndarray:
    """Standard Gumbel noise, [width] float64: a function of its arguments alone (Philox, a counter-based generator).

    Args:
        position: number of the token within the completion, from 0.
    """
    name = f"{seed}\0{sample}\0{task_id}".encode()
    key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "little")
    generator = np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, position], np.uint64)))
    return -np.log(generator.standard_exponential(width))


def choose(
    logits: torch.Tensor, noise: torch.Tensor | None, *, temperature: float, top_p: float, error: float
) -> Choice:
    """Choose a token per row.

    Args:
        logits: [rows, vocabulary] float32.
        noise: [rows, vocabulary] standard Gumbel; `None` is greedy.
        temperature, top_p: as in `Settings`; greedy ignores them.
        error: largest absolute error any logit may have.
    """
    scores, certain = logits, None
    if noise is not None:
        error = error / temperature
        scores = logits.double() / temperature
        possible, certain = nucleus(scores, top_p, error)
        scores = (scores + noise).masked_fill(~possible, -torch.inf)
    tokens = scores.argmax(-1)
    first, second = scores.topk(2).values.unbind(-1)
    sure = first - second > 2 * error
    if certain is not None:
        sure &= certain.gather(1, tokens[:, None])[:, 0]
    return Choice(tokens, sure)


def nucleus(scores: torch.Tensor, top_p: float, error: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens that nucleus sampling draws from (Holtzman et al. 2020, §3.1).

    A token belongs to the nucleus when all more likely tokens together have less than `top_p`. Equally likely tokens
    are in it together.

    Args:
        scores: [rows, vocabulary] float64, unnormalised logarithms.
        error: largest absolute error any score may have.

    Returns:
        The tokens that belong to it for some scores within the error, and those that do for all, [rows, vocabulary].
    """
    if top_p == 1:
        everything = torch.ones_like(scores, dtype=torch.bool)
        return everything, everything
    surprise = -scores.log_softmax(-1)
    ascending = surprise.sort(-1).values
    mass = (-ascending).exp().cumsum(-1)
    before = torch.nn.functional.pad(mass[:, :-1], (1, 0))  # of the more likely tokens
    # Scores that move by at most e move the mass of a set of tokens by at most e / 2, and tokens whose scores differ
    # by at most 2 e may change their order.
    last = (before < top_p + error / 2).sum(-1, keepdim=True) - 1
    outside = torch.nn.functional.pad(ascending, (0, 1), value=torch.inf)
    first_outside = outside.gather(1, (before < top_p - error / 2).sum(-1, keepdim=True))
    return surprise <= ascending.gather(1, last) + 2 * error, surprise < first_outside - 2 * error
