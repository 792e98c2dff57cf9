"""GPTQ by our own solver and both libraries: better than rounding, the same file for every reader, refusals."""

import hashlib
import itertools
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from compressed_code.__main__ import main
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.core.paths import ROOT
from compressed_code.models.load import load_model
from compressed_code.models.start_contexts import start_context
from compressed_code.quantization import gptq_format
from compressed_code.quantization.calibration import calibration_rows
from compressed_code.quantization.engine import write_variant
from compressed_code.quantization.methods.auto_gptq import shim
from compressed_code.quantization.methods.library_quirks import never_zero, one_thread, without_compilation
from compressed_code.quantization.methods.pinned_worker import SOLVERS
from compressed_code.quantization.methods.round_to_nearest import round_to_nearest
from compressed_code.quantization.record import read_record
from compressed_code.registry.quantizations import Quantization
from compressed_code.registry.specs import TokenizerSpec
from compressed_code.tokenizers.files import open_tokenizer
from compressed_code.training_data.tasks import training_tasks, training_text

TEXT = "def main():\n    for item in items:\n        return item + 1\nclass Node:\n    def push(self, value):\n"
LIBRARIES = ["gptqmodel", "auto-gptq"]
METHODS = ["gptq", *LIBRARIES]
pytestmark = pytest.mark.slow  # importing GPTQModel takes 5 s and more


def row(method: str, bits: int, group_size: int | None, *, symmetric: bool = False) -> Quantization:
    return Quantization(
        key="test",
        label="Test",
        method=method,
        bits=bits,
        group_size=group_size,
        symmetric=symmetric,
        calibration="corpus" if method != "rtn" else None,
    )


@pytest.fixture(scope="module", autouse=True)
def no_compilation():
    without_compilation()


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """A process of its own imports its library anew for each model; test_gptq_processes.py is about those."""

    def solve(base, quantization, calibration):
        with one_thread():
            return SOLVERS[quantization.method](base, quantization, calibration)

    monkeypatch.setattr("compressed_code.quantization.engine.solve_pinned", solve)


def train(folder: Path, family: str, *, tied: bool, feed_forward: int, hidden: int = 64, steps: int = 30) -> Path:
    """A model of bytes that has learnt a little, so that its layers see correlated inputs."""
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    torch.manual_seed(0)
    config = {"llama": LlamaConfig, "qwen2": Qwen2Config}[family](
        vocab_size=256,
        hidden_size=hidden,
        intermediate_size=feed_forward,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    text = torch.tensor(list((TEXT * 20).encode()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        batch = torch.stack([text[i : i + 48] for i in torch.randint(len(text) - 48, (8,)).tolist()])
        loss = model(batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.to(torch.float16).save_pretrained(folder)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def calibration():
    text = list((TEXT * 20).encode())
    return [text[17 * i : 17 * i + 48] for i in range(16)]


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return train(tmp_path_factory.mktemp("llama"), "llama", tied=True, feed_forward=192)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return train(tmp_path_factory.mktemp("qwen"), "qwen2", tied=False, feed_forward=192)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Rows of 128 and 512, which all group sizes divide."""
    return train(tmp_path_factory.mktemp("wide"), "llama", tied=True, feed_forward=512, hidden=128)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Rows of 1024, for the largest groups."""
    return train(tmp_path_factory.mktemp("large"), "llama", tied=True, feed_forward=1024, hidden=1024, steps=0)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """Rows of 64 and 128: whole ones are group sizes that every kernel takes."""
    return train(tmp_path_factory.mktemp("narrow"), "llama", tied=True, feed_forward=128)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Feed-forward layers of 176: no multiple of 32."""
    return train(tmp_path_factory.mktemp("odd"), "llama", tied=True, feed_forward=176)


def layer_inputs(model, rows) -> dict[str, torch.Tensor]:
    """What every linear layer of the decoder sees, [tokens, columns], by the name of its weight."""
    seen: dict[str, list[torch.Tensor]] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and "layers." in name:
            module.register_forward_hook(
                lambda _, inputs, __, name=name: seen.setdefault(f"{name}.weight", []).append(inputs[0][0])
            )
    with torch.inference_mode():
        for ids in rows:
            model(torch.tensor([ids]))
    return {name: torch.cat(parts) for name, parts in seen.items()}


def assert_better_than_rounding(base: Path, folder: Path, calibration, grid: tuple[int, int | None, bool]) -> None:
    """Squared error of every layer's output on the calibration text, at the inputs it sees in the quantized model."""
    bits, group_size, symmetric = grid
    model, weights = load_model(folder), load_file(base / "model.safetensors")
    inputs = layer_inputs(model, calibration)
    assert len(inputs) == sum("_proj" in name for name in weights)
    for name, seen in inputs.items():
        weight = weights[name].float()
        rounded = torch.from_numpy(
            round_to_nearest(weight.numpy(), bits, group_size, symmetric=symmetric).dequantized()
        )
        quantized = model.get_parameter(name).detach()
        errors = [float(((weight - other) @ seen.T).square().sum()) for other in (quantized, rounded)]
        assert errors[0] <= errors[1], name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("bits", "group_size", "symmetric"), [(4, 32, False), (3, 32, False), (2, 16, False), (3, None, True)]
)
def test_gptq_loses_less_than_rounding_in_every_layer(
    tmp_path, llama, calibration, method, bits, group_size, symmetric
):
    folder = write_variant(llama, row(method, bits, group_size, symmetric=symmetric), tmp_path / "variant", calibration)
    assert_better_than_rounding(llama, folder, calibration, (bits, group_size, symmetric))


@pytest.mark.parametrize("method", METHODS)
def test_gptq_loses_less_than_rounding_in_every_layer_of_the_zoo(tmp_path, method):
    base = ROOT / "data" / "zoo" / "zoo-l"
    if not (base / "model.safetensors").is_file():
        pytest.skip("the zoo is not trained")
    tokenizer = open_tokenizer(TokenizerSpec(key="zoo", label="Zoo", path=str(base)))
    documents = [tokenizer.encode(training_text(task)) for task in training_tasks(7, 100)]
    text = calibration_rows(
        "tasks", rows=16, length=128, documents=documents, start=start_context(base, "document").ids
    )
    folder = write_variant(base, row(method, 3, 32), tmp_path / "variant", text)
    assert_better_than_rounding(base, folder, text, (3, 32, False))


def all_logits(folder: Path, openers, ids) -> list[torch.Tensor]:
    with torch.inference_mode():
        return [opener(folder)(ids).logits.float() for opener in openers]


def by_transformers(folder: Path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def by_plain_transformers(folder: Path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def by_gptqmodel(folder: Path):
    from gptqmodel import BACKEND, GPTQModel

    return GPTQModel.load(str(folder), device="cpu", backend=BACKEND.TORCH, dtype=torch.float16).model.eval()


def by_auto_gptq(folder: Path):
    """With auto-gptq's own layers, in float32."""
    config = AutoConfig.from_pretrained(folder)
    described = config.quantization_config
    assert (described["quant_method"], described.get("checkpoint_format", "gptq")) == ("gptq", "gptq")
    del config.quantization_config
    with shim() as library:
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        tensors = load_file(folder / "model.safetensors")
        layers = [name.removesuffix(".qweight") for name in tensors if name.endswith(".qweight")]
        library.make_quant(model, layers, described["bits"], described["group_size"], disable_exllama=False)
        missing, unexpected = model.load_state_dict(tensors, strict=False)
    model.tie_weights()
    # Its layers all have a bias, zero where the file has none; an output matrix may be the embedding.
    missing = [name for name in missing if name.rpartition(".")[0] not in layers and name != "lm_head.weight"]
    assert (missing, unexpected) == ([], [])
    return model.float().eval()


EVERY = list(itertools.product(["llama", "qwen"], [2, 3, 4, 8], ["rtn", *METHODS]))
# Each method and each width once; the long tests go through all combinations.
SOME = [("llama", bits, method) for bits, method in zip([2, 3, 4, 8], ["rtn", *METHODS], strict=True)]


@pytest.mark.parametrize(
    ("base", "bits", "method"),
    [case if case in SOME else pytest.param(*case, marks=pytest.mark.long) for case in EVERY],
)
def test_every_reader_computes_the_same(tmp_path, request, calibration, method, bits, base):
    """Against our own decoder. Kernels round weights to float16; transformers' 4-bit one and GPTQModel all numbers."""
    quantization = row(method, bits, 32)
    base = request.getfixturevalue(base)
    folder = write_variant(base, quantization, tmp_path / "variant", None if method == "rtn" else calibration)
    assert read_record(folder)["stored"] == "packed"
    ids = torch.tensor(calibration[:1])
    expected, *others = all_logits(folder, [load_model, by_transformers, by_auto_gptq, by_gptqmodel], ids)
    size = expected.abs().max()
    for logits, tolerance in zip(others, (1e-2 if bits == 4 else 2e-3, 1e-4, 2e-2), strict=True):
        assert (logits - expected).abs().max() < tolerance * size


# Those that kernels treat in a way of their own; the long tests go through all the others.
PECULIAR = [(4, None, False), (4, 16, True), (3, 32, False), (2, 8, False), (8, 128, True)]
COMBINATIONS = [
    pytest.param(bits, size, symmetric, marks=[] if (bits, size, symmetric) in PECULIAR else pytest.mark.long)
    for size in (None, 8, 16, 32, 64, 128)
    for bits in (2, 3, 4, 8)
    for symmetric in (False, True)
]


@pytest.mark.parametrize(("bits", "group_size", "symmetric"), COMBINATIONS)
def test_every_reader_runs_every_width_and_group_size(tmp_path, wide, calibration, bits, group_size, symmetric):
    """What is packed is what plain transformers and GPTQModel run, in the precision the file names and in float32."""
    folder = write_variant(wide, row("rtn", bits, group_size, symmetric=symmetric), tmp_path / "variant")
    packed = read_record(folder)["stored"] == "packed"
    assert packed == (group_size != 8 and (bits, group_size) not in [(4, None), (4, 16)])
    openers = [load_model, by_transformers, by_plain_transformers, *((by_auto_gptq, by_gptqmodel) if packed else ())]
    expected, *others = all_logits(folder, openers, torch.tensor(calibration[:1]))
    size, tolerances = expected.abs().max(), (2e-2 if bits == 4 else 2e-3, 2e-2, 1e-4, 2e-2)[: len(others)]
    for logits, tolerance in zip(others, tolerances, strict=True):
        assert (logits - expected).abs().max() < tolerance * size


@pytest.mark.long
@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("group_size", [256, 512, 1024])
def test_every_reader_runs_large_groups(tmp_path, large, calibration, bits, group_size):
    folder = write_variant(large, row("rtn", bits, group_size), tmp_path / "variant")
    assert read_record(folder)["stored"] == "packed"
    ids = torch.tensor(calibration[:1])
    expected, *others = all_logits(folder, [load_model, by_transformers, by_auto_gptq, by_gptqmodel], ids)
    for logits, tolerance in zip(others, (5e-3, 1e-4, 2e-2), strict=True):
        assert (logits - expected).abs().max() < tolerance * expected.abs().max()


@pytest.mark.parametrize(
    ("bits", "group_size", "symmetric"),
    [case for case in COMBINATIONS if case[1] == 8 or case[:2] in [(4, None), (4, 16)]],
)
def test_what_is_not_packed_could_not_be_run(tmp_path, wide, calibration, monkeypatch, bits, group_size, symmetric):
    """Packed all the same, transformers refuses it; GPTQ's format itself would hold it, and we read it."""
    monkeypatch.setattr(gptq_format, "runs", lambda *_: True)
    folder = write_variant(wide, row("rtn", bits, group_size, symmetric=symmetric), tmp_path / "variant")
    assert read_record(folder)["stored"] == "packed"
    ids = torch.tensor(calibration[:1])
    assert all_logits(folder, [load_model], ids)[0].isfinite().all()
    with pytest.raises((RuntimeError, NotImplementedError), match=r"expect qGroupSize to be|only supports"):
        all_logits(folder, [by_plain_transformers], ids)


def test_whole_rows_of_4_bits_would_lose_their_zero_points(tmp_path, narrow, calibration, monkeypatch):
    """No error, but other numbers: why they are not packed even where the rows are short enough for the kernel."""
    monkeypatch.setattr(gptq_format, "runs", lambda *_: True)
    folder = write_variant(narrow, row("rtn", 4, None), tmp_path / "variant")
    expected, computed = all_logits(folder, [load_model, by_plain_transformers], torch.tensor(calibration[:1]))
    assert (computed - expected).abs().max() > 0.2 * expected.abs().max()


def test_the_codes_do_not_depend_on_the_number_of_threads(tmp_path, llama, calibration):
    before, hashes = torch.get_num_threads(), set()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        folder = write_variant(llama, row("gptq", 3, 32), tmp_path / str(threads), calibration)
        assert torch.get_num_threads() == threads
        hashes.add(read_record(folder)["weights_sha256"])
    torch.set_num_threads(before)
    assert len(hashes) == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes_and_other_text_others(tmp_path, llama, calibration, method):
    texts = [calibration, calibration, calibration[::-1][:8]]
    paths = [
        write_variant(llama, row(method, 3, 32), tmp_path / str(number), text) for number, text in enumerate(texts)
    ]
    records = [read_record(path) for path in paths]
    assert records[0]["weights_sha256"] == records[1]["weights_sha256"] != records[2]["weights_sha256"]
    assert records[0]["calibration"]["sha256"] != records[2]["calibration"]["sha256"]
    found = records[0]["calibration"]
    assert found["sha256"] == hashlib.sha256(json.dumps(calibration).encode()).hexdigest()
    assert "quantized_variant(base, row 'test')" in found.pop("regenerate")
    assert found == {
        "source": "corpus",
        "seed": 0,
        "rows": 16,
        "length": 48,
        "tokens": 16 * 48,
        "sha256": found["sha256"],
        "files": None,
    }
    assert records[0]["version"] == records[0]["versions"][records[0]["library"]]
    assert records[0]["versions"]["torch"] == torch.__version__


def test_the_record_says_how_to_draw_the_calibration_ids_again(tmp_path, llama, monkeypatch):
    """The command in the record, run once more, gives the same ids; other text gives others."""
    monkeypatch.chdir(tmp_path)
    Path("a b.py").write_text(TEXT * 20)
    Path("c.py").write_text(TEXT[::-1] * 20)
    first = ["quantize", str(llama), "--method", "auto-gptq", "--bits", "4", "--calibration", "a b.py", "c.py"]
    size = ["--calibration-rows", "3", "--calibration-length", "24", "--seed", "5"]
    assert main([*first, *size, "--out", "one"]) == 0
    found = read_record(tmp_path / "one")["calibration"]
    files = {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in ("a b.py", "c.py")}
    assert found["files"] == files
    assert (found["source"], found["seed"], found["rows"], found["length"]) == ("files: a b.py, c.py", 5, 3, 24)
    *command, out = shlex.split(found["regenerate"])
    assert (command[:2], out) == (["compressed-code", "quantize"], "DIR")
    assert main([*command[1:], "two"]) == 0
    assert read_record(tmp_path / "two")["calibration"] == found
    command[command.index("--seed") + 1] = "6"
    assert main([*command[1:], "three"]) == 0
    assert read_record(tmp_path / "three")["calibration"]["sha256"] != found["sha256"]


def test_odd_layers_are_stored_decoded(tmp_path, odd, calibration):
    """Whole rows work for any shape; three bits of GPTQModel are the gap."""
    decoded = []
    for method in (*LIBRARIES, "gptq"):
        folder = write_variant(odd, row(method, 4, None), tmp_path / method, calibration)
        assert read_record(folder)["stored"] == "dequantized"
        decoded.append(load_file(folder / "model.safetensors"))
    name = "model.layers.1.mlp.down_proj.weight"
    assert len(torch.unique(decoded[0][name][5])) <= 16
    # Sums in another order, and rounding on the scale as it is stored, move a weight to the neighbouring code now and
    # then, and the error of that goes on to the columns behind it.
    for other, share in ((decoded[1], 0.99), (decoded[2], 0.9)):
        assert min(float(torch.isclose(decoded[0][key], other[key]).float().mean()) for key in other) > share
    for method in ("gptq", "auto-gptq"):
        folder = write_variant(odd, row(method, 3, None), tmp_path / f"{method}-3", calibration)
        assert read_record(folder)["stored"] == "dequantized"
    with pytest.raises(Unavailable, match=r"tensor model\.layers\.0\.mlp.*multiples of 32"):
        write_variant(odd, row("gptqmodel", 3, None), tmp_path / "none", calibration)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("method", METHODS)
def test_no_zero_point_of_0_is_written(tmp_path, llama, calibration, method):
    """Two bits and 16 weights in a group: the libraries' own rule gives a zero point of 0 now and then."""
    weights = load_file(llama / "model.safetensors")
    lows = [
        np.minimum(weight.float().numpy().reshape(-1, 16).min(1), 0)
        for name, weight in weights.items()
        if "_proj" in name
    ]
    highs = [weight.float().numpy().reshape(-1, 16).max(1) for name, weight in weights.items() if "_proj" in name]
    low, high = np.concatenate(lows), np.concatenate(highs)
    assert (np.rint(-low / ((high - low) / 3)) == 0).any()
    folder = write_variant(llama, row(method, 2, 16), tmp_path / "variant", calibration)
    for name, zeros in load_file(folder / "model.safetensors").items():
        if name.endswith("qzeros"):
            stored = (zeros.numpy().view(np.uint32)[:, :, None] >> np.arange(0, 32, 2, dtype=np.uint32)) & 3
            assert stored.max() <= 2


def test_never_zero_is_undone():
    from gptqmodel.quantization.quantizer import Quantizer

    original = Quantizer.find_params
    with never_zero(Quantizer):
        assert Quantizer.find_params is not original
    assert Quantizer.find_params is original


def test_the_shim_is_undone(llama):
    from transformers.utils import hub

    from compressed_code.quantization.methods import auto_gptq as auto_gptq_backend

    with auto_gptq_backend.shim() as base:
        assert hasattr(hub, "create_commit")
        assert base.CUDA_0.type == "cpu"
    assert not hasattr(hub, "create_commit")
    assert base.CUDA_0.type == "cuda"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("bits", "group_size", "text", "message"),
    [
        (4, 48, None, r"(192|64) columns are not divisible by group size 48; choose 8, 16, 32, 64"),
        (4, 32, [], "empty"),
        (4, 32, [[]], "row 0: 0 tokens are too short"),
        (4, 32, [[1] * 20, [1] * 65], "row 1: 65 tokens are longer than the model's 64"),
        (4, 32, [[1] * 19 + [256]], "row 0: an id lies outside of the vocabulary of 256"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path, llama, calibration, method, bits, group_size, text, message
):
    with pytest.raises(InputError, match=message) as caught:
        write_variant(llama, row(method, bits, group_size), tmp_path / "variant", calibration if text is None else text)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", LIBRARIES)
def test_what_a_library_cannot_do_is_a_gap(tmp_path, llama, calibration, method):
    with pytest.raises(Unavailable, match="5 bits: GPTQ's format holds 2, 3, 4, 8; gptq itself"):
        write_variant(llama, row(method, 5, 32), tmp_path / "variant", calibration)
    with pytest.raises(InputError, match="row 0: 3 tokens are too short; 16"):
        write_variant(llama, row(method, 4, 32), tmp_path / "variant", [[1, 2, 3]])
    assert list(tmp_path.iterdir()) == []


def test_the_libraries_say_nothing(tmp_path, llama, calibration, capfd):
    for method in LIBRARIES:
        write_variant(llama, row(method, 4, 32), tmp_path / method, calibration)
    captured = capfd.readouterr()
    assert captured.out == ""
