"""A key/value cache of a fixed number of rows, whose rows come and go.

All rows end at the same column, and each begins where its own prompt begins; columns before that are masked. A new
row is written over a finished one, so nothing is copied for the others. Room is allocated ahead: transformers' own
cache copies everything for every token, which takes most of the time of a small model.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROOM = 128  # columns allocated ahead
# What models call that which goes from one token to the next: keys and values, Mamba's states, RWKV's.
HANDED_ON = ("past_key_values", "cache_params", "state")


class SlotLayer(DynamicLayer):
    """Keys and values of one layer, [slots, heads, columns, size]; the columns from `first` to `end` are in use."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self.keys, self.values = _with_room(keys), _with_room(values)
        self.first, self.end = 0, keys.shape[2]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new columns; the columns in use are returned without a copy."""
        new = slice(self.end, self.end + key_states.shape[2])
        self.keys[:, :, new], self.values[:, :, new] = key_states, value_states
        self.end = new.stop
        used = slice(self.first, self.end)
        return self.keys[:, :, used], self.values[:, :, used]

    def get_seq_length(self) -> int:
        return self.end - self.first


class SlotCache(Cache):
    """The cache of all layers.

    Attributes:
        starts: [slots] the column where each row begins.
    """

    def __init__(self, slots: int, device: torch.device) -> None:
        super().__init__(layers=[])
        self.starts = torch.zeros(slots, dtype=torch.long, device=device)

    @property
    def end(self) -> int:
        """The column behind the last one."""
        return self.layers[0].end if self.layers else 0

    @property
    def is_full(self) -> bool:
        """There is no room for another column."""
        return self.end == self.layers[0].keys.shape[2]

    def admit(self, slots: Sequence[int], prompts: Cache, rows: Sequence[int]) -> None:
        """Put rows of a cache that holds prompts of one length, none longer than the columns here, into slots."""
        if not self.layers:
            self.layers = [
                SlotLayer(*(part.new_zeros(len(self.starts), *part.shape[1:]) for part in (layer.keys, layer.values)))
                for layer in prompts.layers
            ]
        start = self.end - prompts.get_seq_length()
        for mine, theirs in zip(self.layers, prompts.layers, strict=True):
            mine.keys[list(slots), :, start : self.end] = theirs.keys[list(rows)]
            mine.values[list(slots), :, start : self.end] = theirs.values[list(rows)]
        self.starts[list(slots)] = start

    def rebuild(self, slots: Sequence[int], columns: int) -> None:
        """Keep these slots, in this order, and the last `columns` columns; allocate room behind them."""
        first = self.end - columns
        kept = slice(first, self.end)
        self.layers = [
            SlotLayer(layer.keys[list(slots), :, kept], layer.values[list(slots), :, kept]) for layer in self.layers
        ]
        self.starts = self.starts[list(slots)] - first

    def next_column(self, live: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask and positions for one more token in every slot.

        A slot without a row sees its new token alone, so that nothing in it can become infinite.

        Args:
            live: [slots] where there is a row.

        Returns:
            [slots, columns in use + 1] and [slots, 1].
        """
        self.starts = torch.where(live, self.starts, self.end)
        first = int(self.starts.min())
        for layer in self.layers:
            layer.first = first
        columns = torch.arange(first, self.end + 1, device=self.starts.device)
        return (columns >= self.starts[:, None]).long(), (self.end - self.starts)[:, None]


def fits(model: "PreTrainedModel") -> bool:
    """Whether a model keeps keys and values of every token and nothing else (no recurrent or convolution state)."""
    if not takes_transformers_cache(model):
        return False
    kinds = (DynamicLayer, DynamicSlidingWindowLayer)
    return all(type(layer) in kinds for layer in DynamicCache(config=model.config).layers)


def takes_transformers_cache(model: "PreTrainedModel") -> bool:
    """Whether it can be handed a `DynamicCache`; others (RWKV, MiniMax) make what they hand on themselves."""
    return model._supports_default_dynamic_cache()


def handed_on(output: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's output has for the next token, under the name that its next call takes it by."""
    return {name: output[name] for name in HANDED_ON if output.get(name) is not None}


def _with_room(part: torch.Tensor) -> torch.Tensor:
    """A copy with empty columns behind. Zeros, since masked columns are multiplied by 0 and NaN would stay NaN."""
    slots, heads, columns, size = part.shape
    room = part.new_zeros(slots, heads, columns + ROOM, size)
    room[:, :, :columns] = part
    return room
