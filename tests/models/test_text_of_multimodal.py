"""Models that see: their text by itself, read as transformers reads it inside the whole model."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.code_generation.engine import write_programs
from compressed_code.code_generation.requests import Request, Settings, end_ids
from compressed_code.cold_start.distribution import cold_start
from compressed_code.models.linear_layers import linear_weights
from compressed_code.models.load import load_model
from compressed_code.tokenizers.vocabulary import Vocabulary
from tiny_models import set_config

IDS = [3, 7, 1, 40]
WIDTH = 96
SIZES = {"hidden_size": 64, "intermediate_size": 96, "vocab_size": WIDTH, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}
EYE = {"hidden_size": 32, "intermediate_size": 32, "patch_size": 14}
PLAIN_EYE = EYE | {"num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
SECTIONS = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
QWEN_EYE = EYE | {"depth": 1, "num_heads": 2, "out_hidden_size": 64, "fullatt_block_indexes": [0]}
QWEN_SIGNS = {"image_token_id": 95, "video_token_id": 94, "vision_start_token_id": 93, "vision_end_token_id": 92}
# model_type → its text's fields, its eye's, and its own.
SEEING = {
    "gemma3": ({"head_dim": 16}, PLAIN_EYE, {"mm_tokens_per_image": 4, "image_token_index": 95}),
    "mistral3": (
        {"model_type": "mistral", "head_dim": 16},
        PLAIN_EYE | {"model_type": "pixtral", "head_dim": 16},
        {"image_token_index": 95},
    ),
    "qwen2_5_vl": ({"rope_parameters": SECTIONS}, QWEN_EYE, QWEN_SIGNS),
}
VOCABULARY = Vocabulary(tuple(bytes([33 + place]) for place in range(WIDTH)), frozenset(), {}, lambda text: [])


@pytest.fixture(scope="module", params=SEEING)
def seeing(request, tmp_path_factory):
    """Its folder, and transformers' whole model."""
    text, eye, own = SEEING[request.param]
    torch.manual_seed(0)
    parts = {"text_config": SIZES | HEADS | text, "vision_config": eye, **own}
    model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(request.param, **parts))
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return folder, AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()


def test_its_text_is_read(seeing):
    folder, whole = seeing
    with torch.inference_mode():
        expected, found = (
            model(torch.tensor([IDS])).logits[0].double().log_softmax(-1).numpy()
            for model in (whole, load_model(folder))
        )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for count in (1, len(IDS)):
        np.testing.assert_allclose(cold_start(folder, IDS[:count]).log_probabilities, expected[count - 1], atol=1e-4)


def test_its_linear_layers_are_those_of_the_text(seeing):
    names = linear_weights(open_checkpoint(seeing[0]))
    assert len(names) == 2 * 7 and not any(part in name for name in names for part in ("vis", "projector", "merger"))


def test_it_writes_what_the_whole_model_writes(seeing):
    folder, whole = seeing
    settings = Settings(max_tokens=6)
    (found,) = next(iter(write_programs(load_model(folder), VOCABULARY, [Request("t", 0, tuple(IDS))], settings)))
    ids = torch.tensor([IDS])
    options = {"do_sample": False, "max_new_tokens": 6, "pad_token_id": 0, "eos_token_id": None}
    with torch.inference_mode():
        written = whole.generate(ids, attention_mask=torch.ones_like(ids), **options)[0, len(IDS) :].tolist()
    assert found.token_ids == tuple(written) and not found.near_ties


def test_the_end_of_a_text_stands_in_the_config_of_the_text(tmp_path):
    text, eye, own = SEEING["gemma3"]
    parts = {"text_config": SIZES | HEADS | text | {"eos_token_id": [5, 6]}, "vision_config": eye, **own}
    config = AutoConfig.for_model("gemma3", **parts)
    AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path)
    set_config(tmp_path, eos_token_id=None)
    (tmp_path / "generation_config.json").unlink(missing_ok=True)
    assert {5, 6} <= end_ids(load_model(tmp_path), tmp_path)
