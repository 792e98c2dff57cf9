"""Let torch compute in float64 throughout, where a model's code insists on float32 at some places.

transformers computes norms, rotary angles and softmax in float32 whatever the weights are. In float64 throughout, the
rounding noise of another processor or another number of threads lies 16 digits below a number instead of 7.
"""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """Everything that asks torch for float32 gets float64.

    Around the loading of a model too: rotary frequencies are computed there. Weights are loaded as the loader says;
    `model.double()` afterwards is exact.

    Example:
        >>> import torch
        >>> with in_float64():
        ...     torch.ones(1, dtype=torch.float32).dtype, torch.ones(1).half().float().dtype
        (torch.float64, torch.float64)
    """
    import torch
    from torch.overrides import TorchFunctionMode

    def wider(value: Any) -> Any:
        return torch.float64 if value is torch.float32 else value

    class Wider(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            if function is torch.Tensor.float:
                return args[0].double()
            return function(*map(wider, args), **{name: wider(value) for name, value in (kwargs or {}).items()})

    with Wider():
        yield
