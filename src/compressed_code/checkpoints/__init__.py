"""What a stored model holds: one tensor at a time, from any storage format, here or on a hub.

`checkpoint` opens a model; `architectures` says what its config means; `files` knows containers of tensors, `matrices`
knows how the numbers of one tensor are packed.
"""

from compressed_code.checkpoints.checkpoint import Checkpoint, open_checkpoint, read_config

__all__ = ["Checkpoint", "open_checkpoint", "read_config"]
