"""GGUF files written from tiny random models, read by our reader, by transformers, and by llama.cpp where it is.

`LLAMA_CPP_LIBRARY` names a folder with llama.cpp's shared libraries, libllama among them (v0.5.0 was used here).
"""

import ctypes
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from compressed_code.checkpoints.checkpoint import open_checkpoint
from compressed_code.cold_start.distribution import cold_start
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import ROOT
from compressed_code.quantization.decoded_base import plain_base
from compressed_code.quantization.gguf import MIXTURES, MixedModel, quantize_rows, tensor_type, write_gguf
from compressed_code.quantization.gguf.metadata import rope_factors
from compressed_code.quantization.gguf.tokenizer import CUT_NAMES
from compressed_code.quantization.quantized import quantize
from compressed_code.tokenizers.cutting_rules import CUTTING_RULES
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.tokenizers.gguf import read_gguf_tokenizer
from tiny_models import contents, save_contents, save_tiny, save_tokenizer, set_config
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

STORIES = ROOT.parent / "shared" / "data" / "weights" / "stories260K-hf"
QUANTIZED = [name for name in MIXTURES if name not in ("F32", "F16", "BF16")]
SIZES = {
    "vocab_size": 512,
    "hidden_size": 256,
    "intermediate_size": 512,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
FAMILIES = {
    "llama": ("llama", {}),
    "llama, tied, biases": ("llama", {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}),
    "llama, narrow": ("llama", {"hidden_size": 96, "intermediate_size": 172}),
    "mistral": ("mistral", {"sliding_window": None}),
    "qwen2": ("qwen2", {}),
    "qwen2, tied": ("qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", {"head_dim": 128}),  # transformers reads no other head size out of a GGUF file
}
TEXTS = [
    "def größe(x):\n\treturn x + 42  # 漢字\n",
    "while True: pass\r\n\n\nif a&&b { don't; }",
    " two  blanks ",
    "0.5e-10",
]
PROMPT = [3, 7, 300, 511, 0, 5]


def _build(folder: Path, name: str, **options) -> Path:
    """A model of random numbers with a tokenizer."""
    family, fields = FAMILIES[name]
    save_tiny(folder, family, **SIZES | fields | options)
    return _save_tokenizer(folder, _tokenizer(pre_tokenizers.ByteLevel(add_prefix_space=False)))


def _tokenizer(cut, ignore_merges: bool = False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = cut, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|bos|>", "<|eos|>", "<|pad|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 8, trainer)
    tokenizer.add_tokens(["<fim>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<|bos|> $A", special_tokens=[("<|bos|>", 0)])
    return tokenizer


def _save_tokenizer(folder: Path, tokenizer: Tokenizer) -> Path:
    return save_tokenizer(folder, tokenizer, bos_token="<|bos|>", eos_token="<|eos|>", pad_token="<|pad|>")


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Folder of a family's model; made once."""
    made = {}

    def base(family: str) -> Path:
        if family not in made:
            made[family] = _build(tmp_path_factory.mktemp("base"), family)
        return made[family]

    return base


def _gguf_names(layers: int) -> dict[str, str]:
    """Name in the file → Hugging Face name, of every module a dense model has."""
    inner = {
        **{"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj"},
        **{"attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"},
        **{"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"},
        **{"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"},
    }
    outside = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    return outside | {f"blk.{i}.{a}": f"model.layers.{i}.{b}" for i in range(layers) for a, b in inner.items()}


def _dequantized(base: Path, file: Path) -> AutoModelForCausalLM:
    """The base model with every tensor rounded as the type it has in the file rounds, without the file's bytes."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()
    parameters = dict(model.named_parameters())
    names = _gguf_names(model.config.num_hidden_layers)
    with torch.no_grad():
        for tensor in gguf.GGUFReader(file).tensors:
            module, _, last = tensor.name.rpartition(".")
            parameter = parameters[f"{names[module]}.{last}"]
            if parameter.ndim == 2:
                stored = quantize_rows(parameter.numpy(), tensor.tensor_type.name)
                parameter.copy_(torch.from_numpy(gguf.quants.dequantize(stored, tensor.tensor_type).copy()))
    return model


def _log_probabilities(model, prompt=PROMPT) -> np.ndarray:
    with torch.inference_mode():
        return model(input_ids=torch.tensor([prompt])).logits[0].double().log_softmax(-1).numpy()


# --- the mixtures ----------------------------------------------------------------------------------------------------

# Number of matrices of each type in the files that llama.cpp v0.5.0's llama_model_quantize made.
COUNTED = {
    ("llama, 12 layers, 4 heads on a value", "Q2_K"): "Q2_K 49 Q3_K 24 Q4_K 12 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q3_K_S"): "Q3_K 85 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q3_K_M"): "Q3_K 49 Q4_K 34 Q5_K 2 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q3_K_L"): "Q3_K 49 Q5_K 36 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q4_0"): "Q4_0 85 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q4_1"): "Q4_1 85 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q4_K_S"): "Q4_K 80 Q5_K 5 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q4_K_M"): "Q4_K 73 Q6_K 13",
    ("llama, 12 layers, 4 heads on a value", "Q5_0"): "Q5_0 85 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q5_1"): "Q5_1 85 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q5_K_S"): "Q5_K 85 Q6_K 1",
    ("llama, 12 layers, 4 heads on a value", "Q5_K_M"): "Q5_K 73 Q6_K 13",
    ("llama, 12 layers, 4 heads on a value", "Q6_K"): "Q6_K 86",
    ("llama, 12 layers, 4 heads on a value", "Q8_0"): "Q8_0 86",
    ("llama, 17 layers, a value a head", "Q2_K"): "Q2_K 69 Q3_K 51 Q6_K 1",
    ("llama, 17 layers, a value a head", "Q3_K_M"): "Q3_K 69 Q4_K 48 Q5_K 3 Q6_K 1",
    ("llama, 17 layers, a value a head", "Q4_K_S"): "Q4_K 114 Q5_K 6 Q6_K 1",
    ("llama, 17 layers, a value a head", "Q4_K_M"): "Q4_K 102 Q6_K 19",
    ("llama, 80 layers, 4 heads on a value", "Q2_K"): "Q2_K 321 Q3_K 160 Q5_K 80 Q6_K 1",
    ("llama, 80 layers, 4 heads on a value", "Q3_K_S"): "Q3_K 481 Q5_K 80 Q6_K 1",
    ("llama, 80 layers, 4 heads on a value", "Q4_K_S"): "Q4_K 471 Q5_K 90 Q6_K 1",
    ("llama, 80 layers, 4 heads on a value", "Q4_K_M"): "Q4_K 441 Q5_K 40 Q6_K 81",
    ("qwen2, 80 layers, 4 heads on a value", "Q3_K_M"): "Q3_K 321 Q4_K 155 Q5_K 85 Q6_K 1",
    ("qwen2, 80 layers, 4 heads on a value", "Q5_K_M"): "Q5_K 481 Q6_K 81",
    ("qwen3, 80 layers, 4 heads on a value", "Q2_K"): "Q2_K 321 Q3_K 160 Q4_K 80 Q6_K 1",
    ("qwen3, 80 layers, 4 heads on a value", "Q3_K_M"): "Q3_K 321 Q4_K 233 Q5_K 7 Q6_K 1",
    ("qwen2, 4 layers, tied", "Q2_K"): "Q2_K 16 Q3_K 8 Q4_K 4 Q6_K 1",
    ("qwen2, 4 layers, tied", "Q4_K_M"): "Q4_K 24 Q6_K 5",
    ("llama, rows of 96 and 160", "Q2_K"): "Q4_0 55 Q5_0 9 Q8_0 1",
    ("llama, rows of 96 and 160", "Q3_K_M"): "Q4_0 37 Q5_0 25 Q5_1 2 Q8_0 1",
    ("llama, rows of 96 and 160", "Q4_1"): "Q4_1 64 Q8_0 1",
    ("llama, rows of 96 and 160", "Q4_K_M"): "Q5_0 54 Q8_0 11",
    ("llama, rows of 96 and 160", "Q5_K_M"): "Q5_1 54 Q8_0 11",
    ("llama, rows of 96 and 160", "Q6_K"): "Q8_0 65",
    ("llama, rows of 64 and 172", "Q4_0"): "F16 3 Q4_0 19 Q8_0 1",
    ("llama, rows of 64 and 172", "Q3_K_M"): "F16 3 Q4_0 13 Q5_0 4 Q5_1 2 Q8_0 1",
}
# Model, and columns of ffn_down and of all other matrices.
COUNTED_MODELS = {
    "llama, 12 layers, 4 heads on a value": (MixedModel("llama", 12, 8, 2, tied=False), 512, 256),
    "llama, 17 layers, a value a head": (MixedModel("llama", 17, 8, 8, tied=False), 512, 256),
    "llama, 80 layers, 4 heads on a value": (MixedModel("llama", 80, 8, 2, tied=False), 256, 256),
    "qwen2, 80 layers, 4 heads on a value": (MixedModel("qwen2", 80, 8, 2, tied=False), 256, 256),
    "qwen3, 80 layers, 4 heads on a value": (MixedModel("qwen3", 80, 8, 2, tied=False), 256, 256),
    "qwen2, 4 layers, tied": (MixedModel("qwen2", 4, 8, 2, tied=True), 512, 256),
    "llama, rows of 96 and 160": (MixedModel("llama", 9, 8, 2, tied=False), 160, 96),
    "llama, rows of 64 and 172": (MixedModel("llama", 3, 8, 2, tied=False), 172, 64),
}


@pytest.mark.parametrize(("case", "mixture"), COUNTED)
def test_types_are_those_llama_cpp_v0_5_0_chose(case, mixture):
    model, inner, columns = COUNTED_MODELS[case]
    modules = [name for name in _gguf_names(model.layers) if "norm" not in name and name != "output"]
    if not model.tied:
        modules.append("output")
    counted = Counter(
        tensor_type(f"{name}.weight", (64, inner if "ffn_down" in name else columns), model, mixture)
        for name in modules
    )
    words = COUNTED[case, mixture].split()
    assert counted == dict(zip(words[::2], map(int, words[1::2]), strict=True))


@pytest.mark.parametrize(
    ("mixture", "module", "bits"),
    [
        ("Q4_K_M", "attn_v", "644644644666"),
        ("Q4_K_M", "ffn_down", "644644644666"),
        ("Q5_K_M", "ffn_down", "655655655666"),
        ("Q3_K_M", "attn_v", "554444444444"),
        ("Q3_K_M", "attn_output", "444444444444"),
        ("Q4_K_S", "attn_v", "555544444444"),
        ("Q4_K_S", "ffn_down", "544444444444"),
        ("Q2_K", "attn_v", "444444444444"),
        ("Q2_K", "attn_q", "222222222222"),
    ],
)
def test_the_layers_with_more_bits_are_those_llama_cpp_v0_5_0_chose(mixture, module, bits):
    model = MixedModel("llama", 12, 8, 2, tied=False)
    types = [tensor_type(f"blk.{layer}.{module}.weight", (64, 256), model, mixture) for layer in range(12)]
    assert types == [f"Q{digit}_K" for digit in bits]


def test_what_is_never_quantized():
    model = MixedModel("qwen3", 2, 8, 2, tied=True)
    for name, shape in (("blk.0.attn_norm.weight", (64,)), ("blk.1.attn_q.bias", (64,)), ("output_norm.weight", (64,))):
        assert tensor_type(name, shape, model, "Q4_K_M") == "F32"


# --- read back -------------------------------------------------------------------------------------------------------


# Of plain, legacy and k-types one each; the long tests go through all mixtures.
SOME = ("F16", "Q5_1", "Q2_K", "Q3_K_M", "Q4_K_M", "Q8_0")


def long_but(chosen, mixtures):
    return [name if name in chosen else pytest.param(name, marks=pytest.mark.long) for name in mixtures]


@pytest.mark.parametrize("mixture", long_but(SOME, MIXTURES))
def test_our_reader_reads_every_mixture(bases, tmp_path, mixture):
    base, file = bases("llama"), tmp_path / "m.gguf"
    write_gguf(base, file, mixture)
    model = _dequantized(base, file)
    checkpoint = open_checkpoint(file)
    assert set(checkpoint.names) == set(dict(model.named_parameters()))
    for name, parameter in model.named_parameters():
        if "q_proj" in name or "k_proj" in name:
            continue  # in another order there; see the test with several tokens
        shape = tuple(parameter.shape)
        read = checkpoint.vector(name, *shape) if len(shape) == 1 else checkpoint.matrix(name[: -len(".weight")], shape)
        np.testing.assert_array_equal(read, parameter.numpy(force=True), err_msg=name)
    result = cold_start(file, [7])
    assert result.engine == "layerwise", result.reason
    np.testing.assert_allclose(result.log_probabilities, _log_probabilities(model, [7])[-1], atol=1e-4)
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(file).tensors}
    assert types["blk.0.attn_q.weight"] == MIXTURES[mixture]


@pytest.mark.parametrize(
    ("family", "mixture"),
    [
        *[("llama", mixture) for mixture in ("F32", "Q2_K", "Q4_K_M", "Q8_0")],
        *[(family, "Q3_K_M") for family in FAMILIES if family not in ("llama", "llama, tied, biases")],
        *[
            pytest.param("llama", mixture, marks=pytest.mark.long)
            for mixture in ("F16", "BF16", "Q4_0", "Q5_1", "Q6_K")
        ],
        *[pytest.param("qwen3", mixture, marks=pytest.mark.long) for mixture in QUANTIZED if mixture != "Q3_K_M"],
    ],
)
def test_transformers_computes_the_same_over_several_tokens(bases, tmp_path, family, mixture):
    """Positions tell apart the orders of query and key rows. (transformers leaves a Llama's biases in the file.)"""
    base, file = bases(family), tmp_path / "m.gguf"
    write_gguf(base, file, mixture)
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=file.name, **options).eval()
    expected = _log_probabilities(_dequantized(base, file))
    np.testing.assert_allclose(_log_probabilities(loaded), expected, atol=1e-4)
    parameters = dict(_dequantized(base, file).named_parameters())
    for name, parameter in loaded.named_parameters():
        torch.testing.assert_close(parameter, parameters[name], rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_config_comes_back(bases, tmp_path, family):
    file = tmp_path / "m.gguf"
    write_gguf(bases(family), file, "F16")
    given, read = json.loads((bases(family) / "config.json").read_text()), open_checkpoint(file).config
    for field in (*SIZES, "rms_norm_eps", "tie_word_embeddings", "head_dim"):
        if field in read and given.get(field) is not None:
            assert read[field] == pytest.approx(given[field]), field
    metadata = gguf.GGUFReader(file).fields
    name = metadata["general.architecture"].contents()
    assert metadata[f"{name}.context_length"].contents() == SIZES["max_position_embeddings"]
    assert metadata[f"{name}.rope.freq_base"].contents() == pytest.approx(given["rope_parameters"]["rope_theta"])
    assert metadata["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_F16


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_bases(tmp_path, dtype):
    base = _build(tmp_path / "base", "llama", dtype=dtype, num_hidden_layers=1)
    write_gguf(base, tmp_path / "m.gguf", "Q4_K_M")
    model = _dequantized(base, tmp_path / "m.gguf")
    np.testing.assert_allclose(
        cold_start(tmp_path / "m.gguf", [7]).log_probabilities, _log_probabilities(model, [7])[-1], atol=1e-4
    )


# --- rotary embedding ------------------------------------------------------------------------------------------------

LLAMA3 = {
    **{"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    "original_max_position_embeddings": 8192,
}


def test_frequencies_of_llama_3_are_those_of_transformers(tmp_path):
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = AutoConfig.for_model("llama", head_dim=64, max_position_embeddings=131072, rope_parameters=LLAMA3)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = LLAMA3["rope_theta"] ** -(np.arange(0, 64, 2) / 64)
    factors = rope_factors(LLAMA3, 64)
    np.testing.assert_allclose(plain / factors, scaled.numpy(), rtol=1e-5)
    assert factors.min() == 1
    assert factors.max() == 8
    base = _build(tmp_path / "base", "llama", num_hidden_layers=1, rope_parameters=LLAMA3, head_dim=64)
    write_gguf(base, tmp_path / "m.gguf", "Q8_0")
    stored = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    np.testing.assert_array_equal(stored["rope_freqs.weight"], factors)
    assert cold_start(tmp_path / "m.gguf", [7]).engine == "layerwise"


def test_linear_scaling_in_an_older_config(bases, tmp_path):
    base = _copy(bases("llama"), tmp_path, rope_parameters=None, rope_theta=5000.0)
    set_config(base, rope_scaling={"type": "linear", "factor": 4.0})
    write_gguf(base, tmp_path / "m.gguf", "F16")
    fields = gguf.GGUFReader(tmp_path / "m.gguf").fields
    assert fields["llama.rope.scaling.type"].contents() == "linear"
    assert fields["llama.rope.scaling.factor"].contents() == 4.0
    assert fields["llama.rope.freq_base"].contents() == 5000.0


def test_a_sliding_window_bounds_the_context(bases, tmp_path):
    base = _copy(bases("mistral"), tmp_path, sliding_window=32)
    write_gguf(base, tmp_path / "m.gguf", "F16")
    assert gguf.GGUFReader(tmp_path / "m.gguf").fields["llama.context_length"].contents() == 32


# --- tokenizer -------------------------------------------------------------------------------------------------------

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def test_the_tokenizer_comes_back(bases, tmp_path):
    base, file = bases("llama"), tmp_path / "m.gguf"
    write_gguf(base, file, "Q8_0")
    written = read_gguf_tokenizer(file)
    read = written.tokenizer(GPT2, special_in_text=True)
    given = Tokenizer.from_file(str(base / "tokenizer.json"))
    for text in (*TEXTS, "<fim> x <|eos|>"):
        assert read.encode(text).ids == given.encode(text, add_special_tokens=False).ids
        assert read.decode(read.encode(text).ids, skip_special_tokens=False) == text
    assert len(written.pieces) == SIZES["vocab_size"]
    fields = gguf.GGUFReader(file).fields
    ids = {name: fields[f"tokenizer.ggml.{name}_token_id"].contents() for name in ("bos", "eos", "padding")}
    assert ids == {"bos": 0, "eos": 1, "padding": 2}
    assert fields["tokenizer.ggml.add_bos_token"].contents() is True
    types = fields["tokenizer.ggml.token_type"].contents()
    fim = given.token_to_id("<fim>")
    assert types[:4] == [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL]
    assert types[fim] == gguf.TokenType.USER_DEFINED
    assert set(types[fim + 1 :]) == {gguf.TokenType.UNUSED}


def _split(rule: str):
    cut = pre_tokenizers.Split(Regex(rule), behavior="isolated")
    return pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _rules() -> dict[str, tuple]:
    """llama.cpp's name → the rule it stands for, and whether whole words bypass merging."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    written = {name: (_split(rule), whole) for (rule, whole), name in CUT_NAMES.items() if "\\" in rule}
    return written | {"gpt-2": (byte_level, False), "starcoder": (digits, False)}


@pytest.mark.parametrize("name", sorted(CUT_NAMES.values()))
def test_rules_that_llama_cpp_has_a_name_for(bases, tmp_path, name):
    base = _copy(bases("llama"), tmp_path)
    _save_tokenizer(base, _tokenizer(*_rules()[name]))
    write_gguf(base, tmp_path / "m.gguf", "F16")
    assert gguf.GGUFReader(tmp_path / "m.gguf").fields["tokenizer.ggml.pre"].contents() == name


@pytest.mark.parametrize("name, rule", {rule: (name, rule) for name, rule in CUTTING_RULES.items()}.values())
def test_a_level_made_from_a_gguf_file_cuts_text_as_that_file(bases, tmp_path, name, rule):
    """Its rule goes through the decoded folder; without a name llama.cpp would cut text by its default rule."""
    base = _copy(bases("llama"), tmp_path)
    cuts = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in rule.patterns]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    _save_tokenizer(base, _tokenizer(pre_tokenizers.Sequence([*cuts, byte_level]), rule.whole_words))
    write_gguf(base, tmp_path / "one.gguf", "F16")
    with plain_base(tmp_path / "one.gguf") as folder:
        write_gguf(folder, tmp_path / "two.gguf", "Q8_0")
    found = [
        gguf.GGUFReader(tmp_path / f"{file}.gguf").fields["tokenizer.ggml.pre"].contents() for file in ("one", "two")
    ]
    assert found[0] == found[1] and CUTTING_RULES[found[1]] == rule


def test_a_level_made_from_a_gguf_file_without_a_rule_is_cut_by_the_tokenizer_beside_it(bases, tmp_path):
    """And a file of other tokens that happens to lie there is none of it."""
    base = _copy(bases("llama"), tmp_path)
    _save_tokenizer(base, _tokenizer(_split(r"\w+|\W")))
    one = quantize(str(base), "gguf", tmp_path / "one", type="F16").path
    with plain_base(one) as folder:
        assert json.loads((folder / "tokenizer.json").read_text()) == json.loads((base / "tokenizer.json").read_text())
    two = quantize(str(one), "gguf", tmp_path / "two", type="Q8_0").path
    assert two.with_name("tokenizer.json").is_file()
    assert open_tokenizer(two).encode("a b  c") == open_tokenizer(base).encode("a b  c")
    other = json.loads((base / "tokenizer.json").read_text())
    vocab = other["model"]["vocab"]
    other["model"] |= {"vocab": dict(zip(vocab, reversed(vocab.values()), strict=True))}
    one.with_name("tokenizer.json").write_text(json.dumps(other))
    with pytest.raises(Unavailable, match=r"put its original tokenizer\.json beside it"), plain_base(one):
        pass


@pytest.mark.parametrize(
    "cut", [_split(r"\w+|\W"), pre_tokenizers.ByteLevel(add_prefix_space=True), pre_tokenizers.Sequence([])]
)
def test_other_rules_get_no_name(bases, tmp_path, cut):
    base = _copy(bases("llama"), tmp_path)
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.pre_tokenizer = cut
    _save_tokenizer(base, tokenizer)
    write_gguf(base, tmp_path / "m.gguf", "F16")
    assert "tokenizer.ggml.pre" not in gguf.GGUFReader(tmp_path / "m.gguf").fields


@pytest.mark.skipif(not STORIES.exists(), reason="the real weights are not on this machine")
def test_a_sentencepiece_tokenizer_has_scores_in_the_order_of_its_merges(tmp_path):
    file = tmp_path / "m.gguf"
    write_gguf(STORIES, file, "F16")
    fields = gguf.GGUFReader(file).fields
    pieces, scores = fields["tokenizer.ggml.tokens"].contents(), fields["tokenizer.ggml.scores"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = json.loads((STORIES / "tokenizer.json").read_text())
    merges = ["".join(merge.split(" ") if isinstance(merge, str) else merge) for merge in tokenizer["model"]["merges"]]
    ranked = [scores[pieces.index(piece)] for piece in dict.fromkeys(merges)]
    assert ranked == sorted(ranked, reverse=True)
    assert fields["tokenizer.ggml.model"].contents() == "llama"
    assert fields["tokenizer.ggml.add_space_prefix"].contents() is True
    assert [types[0], types[1], types[pieces.index("<0x0A>")]] == [2, 3, 6]
    assert (fields["tokenizer.ggml.bos_token_id"].contents(), fields["tokenizer.ggml.add_bos_token"].contents()) == (
        1,
        True,
    )


# --- repeatable, whole or not at all, clear errors -------------------------------------------------------------------


def test_the_same_base_gives_the_same_bytes(bases, tmp_path):
    moved = _copy(bases("qwen2"), tmp_path)
    write_gguf(bases("qwen2"), tmp_path / "a.gguf", "Q4_K_M")
    write_gguf(moved, tmp_path / "b.gguf", "Q4_K_M")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def _copy(base: Path, folder: Path, **fields) -> Path:
    return set_config(Path(shutil.copytree(base, folder / "copy")), **fields)


def _fails(base: Path, destination: Path, type_name: str, *parts: str) -> None:
    """One clear line, the old file untouched, nothing left beside it."""
    destination.write_bytes(b"old")
    with pytest.raises(InputError) as caught:
        write_gguf(base, destination, type_name)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
    assert destination.read_bytes() == b"old"
    assert not list(destination.parent.glob(".*"))


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"model_type": "gemma"}, ("config.json", "gemma")),
        ({"hidden_act": "relu"}, ("config.json", "relu", "silu")),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, ("config.json", "quantized already")),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, ("config.json", "yarn", "llama3")),
        # Which transformers prefers to the default that stands beside it.
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, ("config.json", "yarn", "llama3")),
        ({"rope_parameters": {"rope_type": "linear"}}, ("config.json", "linear", "factor")),
        ({"max_position_embeddings": None}, ("config.json", "max_position_embeddings")),
        ({"num_hidden_layers": 3}, ("model.layers.2", "missing")),
        ({"num_hidden_layers": 1}, ("model.layers.1", "no place")),
        ({"intermediate_size": 256}, ("mlp.gate_proj.weight", "[512, 256]", "[256, 256]")),
        ({"vocab_size": 300}, ("tokenizer.json", "300 rows", "embedding")),
    ],
)
def test_configs_that_cannot_be_written(bases, tmp_path, fields, parts):
    _fails(_copy(bases("llama"), tmp_path, **fields), tmp_path / "m.gguf", "Q4_K_M", *parts)


def test_biases_that_llama_cpp_does_not_read(tmp_path):
    base = _build(tmp_path / "base", "qwen3", attention_bias=True)
    _fails(base, tmp_path / "m.gguf", "Q8_0", "config.json", "attention_bias")


@pytest.mark.parametrize("type_name", ["Q4_K", "IQ4_XS", "q4_0"])
def test_an_unknown_type(bases, tmp_path, type_name):
    _fails(bases("llama"), tmp_path / "m.gguf", type_name, type_name, "Q4_K_M")


def test_rows_that_do_not_divide_into_blocks(tmp_path):
    base = _build(tmp_path / "base", "llama", hidden_size=40, intermediate_size=64)
    _fails(base, tmp_path / "m.gguf", "Q4_K_M", "rows of 40", "blocks of 32", "F16")
    write_gguf(base, tmp_path / "m.gguf", "F16")
    assert cold_start(tmp_path / "m.gguf", [3]).engine == "layerwise"


@pytest.mark.parametrize("type_name", ["Q4_K_M", "F16"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_numbers_that_cannot_be_stored(bases, tmp_path, value, type_name):
    base = _copy(bases("llama"), tmp_path)
    tensors, _ = contents(base)
    tensors["model.layers.1.mlp.up_proj.weight"][5, 5] = value
    save_contents(base, tensors)
    _fails(base, tmp_path / "m.gguf", type_name, "model.layers.1.mlp.up_proj.weight")


_BLANKS = '{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}'
_VOCABULARY = '"vocab": {"a": 0, "▁": 1, "▁a": 2}'


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "broken"),
        ('{"model": {"type": "Unigram"}}', "Unigram"),
        ('{"model": {"type": "BPE"}}', "broken"),
        (f'{{"model": {{"type": "BPE", {_VOCABULARY}, "merges": ["▁ b"]}}}}', "no valid tokenizer"),
        (
            f'{{"pre_tokenizer": {_BLANKS}, "model": {{"type": "BPE", {_VOCABULARY}, "merges": ["▁ a"]}}}}',
            "GGUF files hold no others",
        ),
    ],
)
def test_a_tokenizer_that_cannot_be_written(bases, tmp_path, content, part):
    base = _copy(bases("llama"), tmp_path)
    (base / "tokenizer.json").write_text(content)
    _fails(base, tmp_path / "m.gguf", "F16", "tokenizer.json", part)


def test_without_a_tokenizer(bases, tmp_path):
    base = _copy(bases("llama"), tmp_path)
    (base / "tokenizer.json").unlink()
    write_gguf(base, tmp_path / "m.gguf", "Q8_0")
    assert gguf.GGUFReader(tmp_path / "m.gguf").fields["tokenizer.ggml.model"].contents() == "none"
    assert cold_start(tmp_path / "m.gguf", [3]).engine == "layerwise"
    (base / "tokenizer.model").write_bytes(b"")
    _fails(base, tmp_path / "m.gguf", "Q8_0", "tokenizer.model")


def test_a_base_that_is_a_gguf_file(bases, tmp_path):
    write_gguf(bases("llama"), tmp_path / "base.gguf", "F32")
    _fails(tmp_path / "base.gguf", tmp_path / "m.gguf", "Q8_0", "base.gguf", "folder")


def test_a_full_disk(bases, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensor_data", full)
    _fails(bases("llama"), tmp_path / "m.gguf", "Q8_0", "m.gguf", "No space left on device")


def test_a_destination_that_cannot_be(bases, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"file.m\.gguf: cannot be written"):
        write_gguf(bases("llama"), tmp_path / "file" / "m.gguf", "F16")


# --- llama.cpp itself ------------------------------------------------------------------------------------------------


class _Parameters(ctypes.Structure):
    """A structure of llama.cpp by value: larger than any of its versions, seen as numbers of 32 bits."""

    _fields_ = (("words", ctypes.c_int32 * 128), ("alignment", ctypes.c_uint64))


class _Batch(ctypes.Structure):
    """Tokens to compute: a number and six pointers."""

    _fields_ = (("words", ctypes.c_uint64 * 7),)


class _LlamaCpp:
    """The few calls needed, through ctypes; their structures are passed on as they come."""

    def __init__(self, folder: Path) -> None:
        every = {path.name: path for path in folder.glob("lib*.so*")}
        ctypes.CDLL(str(self._named(every, "libggml-base.")), ctypes.RTLD_GLOBAL)
        ggml = ctypes.CDLL(str(self._named(every, "libggml.")), ctypes.RTLD_GLOBAL)
        self._library = ctypes.CDLL(str(self._named(every, "libllama.")))
        ggml.ggml_backend_load_all_from_path(str(folder).encode())
        self._silence = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
        self._library.llama_log_set(self._silence, None)
        pointer, number = ctypes.c_void_p, ctypes.c_int32
        self._declare("llama_model_quantize_default_params", _Parameters)
        self._declare("llama_model_default_params", _Parameters)
        self._declare("llama_context_default_params", _Parameters)
        self._declare("llama_model_quantize", ctypes.c_uint32, ctypes.c_char_p, ctypes.c_char_p, pointer)
        self._declare("llama_model_load_from_file", pointer, ctypes.c_char_p, _Parameters)
        self._declare("llama_model_free", None, pointer)
        self._declare("llama_init_from_model", pointer, pointer, _Parameters)
        self._declare("llama_free", None, pointer)
        self._declare("llama_set_n_threads", None, pointer, number, number)
        self._declare("llama_batch_get_one", _Batch, pointer, number)
        self._declare("llama_decode", number, pointer, _Batch)
        self._declare("llama_model_get_vocab", pointer, pointer)
        self._declare("llama_vocab_n_tokens", number, pointer)
        self._declare("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float), pointer, number)
        flags = (ctypes.c_bool, ctypes.c_bool)
        self._declare("llama_tokenize", number, pointer, ctypes.c_char_p, number, pointer, number, *flags)

    @staticmethod
    def _named(every: dict[str, Path], start: str) -> Path:
        return next(path for name, path in sorted(every.items()) if name.startswith(start))

    def _declare(self, name: str, result, *arguments) -> None:
        function = getattr(self._library, name)
        function.restype, function.argtypes = result, list(arguments)
        setattr(self, name, function)

    def quantize(self, source: Path, destination: Path, file_type: int) -> None:
        parameters = self.llama_model_quantize_default_params()
        parameters.words[0], parameters.words[1] = 1, int(file_type)  # nthread, ftype
        assert self.llama_model_quantize(str(source).encode(), str(destination).encode(), ctypes.byref(parameters)) == 0

    def tokenize(self, file: Path, texts: list[str]) -> list[list[int]]:
        model = self.llama_model_load_from_file(str(file).encode(), self.llama_model_default_params())
        vocabulary, found = self.llama_model_get_vocab(model), []
        for text in texts:
            content, ids = text.encode(), (ctypes.c_int32 * 999)()
            count = self.llama_tokenize(vocabulary, content, len(content), ids, len(ids), True, False)
            found.append(list(ids[:count]))
        self.llama_model_free(model)
        return found

    def log_probabilities(self, file: Path, prompt: list[int]) -> np.ndarray:
        model = self.llama_model_load_from_file(str(file).encode(), self.llama_model_default_params())
        context = self.llama_init_from_model(model, self.llama_context_default_params())
        self.llama_set_n_threads(context, 1, 1)
        size, rows = self.llama_vocab_n_tokens(self.llama_model_get_vocab(model)), []
        for token in prompt:
            ids = (ctypes.c_int32 * 1)(token)
            assert self.llama_decode(context, self.llama_batch_get_one(ids, 1)) == 0
            rows.append(np.ctypeslib.as_array(self.llama_get_logits_ith(context, -1), (size,)).astype(np.float64))
        self.llama_free(context)
        self.llama_model_free(model)
        return np.array(rows) - np.logaddexp.reduce(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def llama_cpp():
    folder = os.environ.get("LLAMA_CPP_LIBRARY")
    if folder is None:
        pytest.skip("LLAMA_CPP_LIBRARY does not name a folder with llama.cpp's libraries")
    return _LlamaCpp(Path(folder))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_whole_files_are_those_of_llama_cpp(llama_cpp, bases, tmp_path, family):
    base, plain = bases(family), tmp_path / "plain.gguf"
    write_gguf(base, plain, "F32")
    for mixture in (*QUANTIZED, "F16", "BF16"):
        write_gguf(base, tmp_path / "ours.gguf", mixture)
        llama_cpp.quantize(plain, tmp_path / "theirs.gguf", gguf.LlamaFileType[f"MOSTLY_{mixture}"])
        ours, theirs = gguf.GGUFReader(tmp_path / "ours.gguf"), gguf.GGUFReader(tmp_path / "theirs.gguf")
        assert _tensors(ours) == _tensors(theirs), mixture
        assert _metadata(ours) == _metadata(theirs), mixture


def _tensors(reader: gguf.GGUFReader) -> dict:
    return {tensor.name: (tensor.tensor_type.name, tensor.data.tobytes()) for tensor in reader.tensors}


def _metadata(reader: gguf.GGUFReader) -> dict:
    return {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}


@pytest.mark.parametrize("family", FAMILIES)
def test_llama_cpp_computes_the_same(llama_cpp, bases, tmp_path, family):
    """llama.cpp keeps keys and values as float16 and rounds activations to 8 bits before quantized matrices."""
    for mixture, tolerance in (("F32", 0.01), ("Q8_0", 0.25), ("Q4_K_M", 0.25)):
        file = tmp_path / f"{mixture}.gguf"
        write_gguf(bases(family), file, mixture)
        expected = _log_probabilities(_dequantized(bases(family), file))
        np.testing.assert_allclose(llama_cpp.log_probabilities(file, PROMPT), expected, atol=tolerance)


@pytest.mark.parametrize("rope", [LLAMA3 | {"original_max_position_embeddings": 64, "rope_theta": 500.0}])
def test_llama_cpp_turns_as_llama_3(llama_cpp, tmp_path, rope):
    base = _build(tmp_path / "base", "llama", rope_parameters=rope)
    write_gguf(base, tmp_path / "m.gguf", "F32")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    prompt = PROMPT * 6
    found = llama_cpp.log_probabilities(tmp_path / "m.gguf", prompt)
    np.testing.assert_allclose(found, _log_probabilities(model, prompt), atol=0.01)


@pytest.mark.parametrize("name", sorted(CUT_NAMES.values()))
def test_llama_cpp_cuts_text_alike(llama_cpp, bases, tmp_path, name):
    base = _copy(bases("llama"), tmp_path)
    tokenizer = _tokenizer(*_rules()[name])
    _save_tokenizer(base, tokenizer)
    write_gguf(base, tmp_path / "m.gguf", "F16")
    assert llama_cpp.tokenize(tmp_path / "m.gguf", TEXTS) == [tokenizer.encode(text).ids for text in TEXTS]


@pytest.mark.skipif(not STORIES.exists(), reason="the real weights are not on this machine")
def test_llama_cpp_merges_alike(llama_cpp, tmp_path):
    write_gguf(STORIES, tmp_path / "m.gguf", "F16")
    tokenizer = Tokenizer.from_file(str(STORIES / "tokenizer.json"))
    texts = [*TEXTS, "Once upon a time, there was a little girl named Lily."]
    assert llama_cpp.tokenize(tmp_path / "m.gguf", texts) == [tokenizer.encode(text).ids for text in texts]
