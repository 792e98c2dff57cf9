"""A small random model, whose weights tell each other apart, with a tokenizer."""

from pathlib import Path

import pytest
import torch

from tiny_models import save_tiny, save_tokenizer

SIZES = {
    **{"vocab_size": 420, "hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 4},
    **{"num_attention_heads": 4, "num_key_value_heads": 4, "bos_token_id": 0, "max_position_embeddings": 512},
}


@pytest.fixture(scope="session")
def make_base(byte_level_tokenizer):
    """Write such a model into a folder: `make_base(folder, seed=1)`."""

    def make(folder: Path, **options) -> Path:
        save_tiny(folder, **{"dtype": torch.float16, **SIZES, **options})
        return save_tokenizer(folder, byte_level_tokenizer, eos_token="<|end|>")

    return make


@pytest.fixture(scope="session")
def base(tmp_path_factory, make_base) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))
