"""Training of the zoo: its optimizer against the reference, rows that start at documents, equal weights every time."""

import json
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from compressed_code.checkpoints.model_files import TRAINING_RECORD
from compressed_code.core.errors import InputError
from compressed_code.statistics.intervals_and_tests import wilson_interval
from compressed_code.zoo import training
from compressed_code.zoo.cards import write_card
from compressed_code.zoo.dataset import Dataset, TokenPool
from compressed_code.zoo.export import export_model
from compressed_code.zoo.held_out import held_out_loss
from compressed_code.zoo.muon import Muon, orthogonalise
from compressed_code.zoo.recipes import Recipe, Size, load_recipes, load_targets

SPECIAL = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
SIZE = Size(key="t", hidden=32, layers=2, heads=2, feed_forward=48)


def recipe(**fields) -> Recipe:
    return Recipe(**{"key": "t", "label": "T", "size": "t", "mixture": "base", "tokens": 60_000, **fields})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Counting sequences: after n comes n + 1, so that there is something to learn."""
    rng = np.random.default_rng(0)

    def pool(first: int, documents: int = 200) -> TokenPool:
        pieces = []
        for _ in range(documents):
            start, length = rng.integers(first, first + 40), rng.integers(20, 60)
            pieces.append(np.array([0, *range(start, start + length), 1], dtype=np.uint16))
        lengths = [len(piece) for piece in pieces]
        weights = np.cumsum(np.full(documents, 1 / documents))
        return TokenPool(np.concatenate(pieces), np.concatenate([[0], np.cumsum(lengths)]), weights)

    return Dataset(pool(10), pool(110), pool(200), pool(300))


def model_of(seed=0, vocabulary=420):
    return training.build_model(SIZE, vocabulary, SPECIAL, seed)


def test_muon_follows_torchs_own():
    """torch multiplies in bfloat16, so single updates agree to its precision only."""
    torch.manual_seed(0)
    for shape in ((24, 16), (16, 24), (16, 16)):
        start = torch.randn(shape)
        ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
        settings = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.01}
        optimizers = Muon([ours], **settings), torch.optim.Muon([theirs], **settings)
        for _ in range(4):
            gradient = torch.randn(shape)
            ours.grad, theirs.grad = gradient.clone(), gradient.clone()
            for optimizer in optimizers:
                optimizer.step()
        moved = (theirs - start).norm()
        assert (ours - theirs).norm() < 0.03 * moved


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(1)
    for shape in ((3, 20, 12), (3, 12, 20), (1, 16, 16)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert values.min() > 0.3 and values.max() < 1.3


def test_every_row_starts_at_a_document_start_and_depends_on_its_step_alone(dataset):
    rows = dataset.batch("base", 0, 7, 64, 257)
    assert rows.shape == (64, 257) and rows.dtype == np.int64
    assert (rows[:, 0] == 0).all()
    after_end = rows[:, 1:][rows[:, :-1] == 1]
    assert (after_end == 0).all(), "a document begins after every end"
    np.testing.assert_array_equal(rows, dataset.batch("base", 0, 7, 64, 257))
    assert (rows != dataset.batch("base", 0, 8, 64, 257)).any()
    assert (rows != dataset.batch("base", 1, 7, 64, 257)).any()


def test_a_mixture_holds_its_share_of_tasks_and_instruct_tasks_are_plain(dataset):
    base = dataset.batch("base", 0, 0, 2000, 2)[:, 1]
    instruct = dataset.batch("instruct", 0, 0, 2000, 2)[:, 1]
    assert np.mean(base < 110) == pytest.approx(0.5, abs=0.05)
    assert np.mean((instruct >= 110) & (instruct < 200)) == pytest.approx(0.85, abs=0.04)
    assert not (instruct < 110).any()
    assert np.mean(base >= 300) == pytest.approx(0.25, abs=0.04), "half of the source rows begin with an opening"


@pytest.mark.slow
def test_two_trainings_of_60k_tokens_give_identical_weights_and_learn(dataset):
    hashes, losses = [], []
    for _ in range(2):
        model = model_of()
        losses = training.train(model, dataset, recipe(), None)
        hashes.append(training.weight_hash(model))
    assert hashes[0] == hashes[1]
    assert len(losses) == 60_000 // (training.CONTEXT * training.ROWS)
    assert losses[-1] < losses[0] - 0.5
    assert training.weight_hash(model_of(seed=1)) != training.weight_hash(model_of(seed=0))


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 4)
    whole = model_of()
    training.train(whole, dataset, recipe(), None)

    class Killed(Exception):
        pass

    class StopsAtSix(Dataset):
        def batch(self, mixture, seed, step, rows, length):
            if step == 6:
                raise Killed
            return super().batch(mixture, seed, step, rows, length)

    broken = StopsAtSix(dataset.varied_tasks, dataset.plain_tasks, dataset.documents, dataset.openings)
    state = tmp_path / "state.pt"
    with pytest.raises(Killed):
        training.train(model_of(), broken, recipe(), state)
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
    resumed = model_of()
    losses = training.train(resumed, dataset, recipe(), state)
    assert len(losses) == 60_000 // (training.CONTEXT * training.ROWS)
    assert training.weight_hash(resumed) == training.weight_hash(whole)


def test_distilling_from_itself_costs_nothing_and_a_teacher_pulls(dataset):
    student, teacher = model_of(), model_of()
    rows = torch.from_numpy(dataset.batch("base", 0, 0, 4, 65))
    objective = training._distillation(teacher)
    assert objective(student, rows[:, :-1], rows[:, 1:]).item() == pytest.approx(0, abs=1e-6)
    other = model_of(seed=5)
    logits = [m(input_ids=rows[:, :-1]).logits.double().log_softmax(-1) for m in (teacher, other)]
    by_hand = (logits[0].exp() * (logits[0] - logits[1])).sum(-1).mean().item()
    assert objective(other, rows[:, :-1], rows[:, 1:]).item() == pytest.approx(by_hand, rel=1e-4)


def test_a_loss_that_is_not_finite_stops_with_one_line(dataset):
    model = model_of()
    torch.nn.init.constant_(model.model.embed_tokens.weight, float("nan"))
    with pytest.raises(InputError, match="t: the loss is nan at step 0"):
        training.train(model, dataset, recipe(tokens=5000), None)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("size: s", "size: huge", "models.a.size: 'huge' is not a size"),
        ("seed: 0", "seed: zero", "models.a.seed"),
        ("teacher: a", "teacher: c", "needs 'c', which must be a row before it"),
        ("start: a", "start: a, size: l", "duplicate key 'size'"),
    ],
)
def test_bad_recipes_are_refused(tmp_path, old, new, problem):
    text = """
sizes:
  s: {hidden: 32, layers: 1, heads: 2, feed_forward: 48}
models:
  a: {label: A, size: s, mixture: base, tokens: 100, seed: 0}
  b: {label: B, size: s, mixture: base, tokens: 100, teacher: a}
  c: {label: C, size: s, mixture: instruct, tokens: 100, start: a}
"""
    path = tmp_path / "zoo.yml"
    path.write_text(text)
    assert list(load_recipes(path)[1]) == ["a", "b", "c"]
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_recipes(path)
    assert problem in str(caught.value)


def test_the_committed_recipes_are_complete():
    sizes, recipes = load_recipes()
    assert sizes["l"].hidden % 256 == 0 and sizes["l"].feed_forward % 256 == 0, "GGUF K-quants need it"
    budgets = {key: recipes[f"zoo-{key}"].tokens for key in sizes}
    assert len(set(budgets.values())) == 1, "sizes compare at one budget"
    distilled = [r for r in recipes.values() if r.teacher and r.size == "s"]
    alone = [r for r in recipes.values() if r.size == "s" and not r.teacher and r.tokens == distilled[0].tokens]
    assert {r.seed for r in distilled} == {r.seed for r in alone} == {0, 1, 2}
    assert {r.size for r in recipes.values() if r.mixture == "instruct"} == {"m", "l"}


@pytest.fixture
def exported(tmp_path, byte_level_tokenizer):
    from compressed_code.zoo.tokenizer import save_tokenizer

    source = tmp_path / "tokenizer"
    save_tokenizer(byte_level_tokenizer, source)
    folder = tmp_path / "zoo" / "t"
    folder.parent.mkdir()
    digests = {"materials": "m" * 64, "corpus": "c" * 64, "weights": "w" * 64}

    def export(seed=0):
        export_model(
            model_of(seed), source, folder, recipe=recipe(seed=seed), size=SIZE, losses=[3.0, 2.0], digests=digests
        )
        return folder

    return export


def test_an_exported_model_loads_with_plain_transformers(exported):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = exported()
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.float16
    torch.testing.assert_close(model.float().state_dict(), model_of().state_dict(), atol=2e-3, rtol=2e-3)
    assert AutoTokenizer.from_pretrained(folder)("def main")["input_ids"]
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", TRAINING_RECORD} <= {
        path.name for path in folder.iterdir()
    }
    again = exported(seed=1)
    assert json.loads((again / TRAINING_RECORD).read_text())["recipe"]["seed"] == 1
    assert [path.name for path in again.parent.iterdir()] == ["t"]


def test_a_failed_export_leaves_the_earlier_model(exported, monkeypatch):
    folder = exported()
    monkeypatch.setattr("shutil.copy2", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space left on device"):
        exported(seed=1)
    assert json.loads((folder / TRAINING_RECORD).read_text())["recipe"]["seed"] == 0
    assert [path.name for path in folder.parent.iterdir()] == ["t"]


@pytest.mark.parametrize("earlier", [False, True])
def test_a_disk_that_fills_while_weights_are_written_leaves_nothing(exported, tmp_path, earlier):
    """safetensors reports it by an error that is no OSError."""
    folder = exported() if earlier else tmp_path / "zoo" / "t"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, hard))
    try:
        with pytest.raises(InputError, match=r"t: the model could not be written \(.*File too large.*\)") as caught:
            exported(seed=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert [path.name for path in folder.parent.iterdir()] == (["t"] if earlier else [])


@pytest.mark.parametrize("stops_at", ["save_pretrained", "rename"])
def test_an_interrupted_export_leaves_the_earlier_model(exported, monkeypatch, stops_at):
    folder, rename = exported(), Path.rename

    def stop(*_, **__):
        raise KeyboardInterrupt

    if stops_at == "rename":
        monkeypatch.setattr(Path, "rename", lambda path, to: stop() if path.suffix == ".part" else rename(path, to))
    else:
        monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", stop)
    with pytest.raises(KeyboardInterrupt):
        exported(seed=1)
    assert json.loads((folder / TRAINING_RECORD).read_text())["recipe"]["seed"] == 0
    assert [path.name for path in folder.parent.iterdir()] == ["t"]


def test_the_card_quotes_the_scores_and_the_verdicts(exported, monkeypatch):
    folder = exported()
    rows = [
        ("t", "pass_standard", 0.8, 0.490, 0.943, 10),
        ("t", "loss_go", 2.5, 2.5, 2.5, 99),
        ("t", "pkp", 0.4321, 0.4321, 0.4321, 1),
        ("t", "entropy_nats", 2.0, 2.0, 2.0, 1),
    ]
    targets = {"t": {"pass_standard": (0.95, 1.0), "pkp": (0.3, 0.8)}}
    monkeypatch.setattr("compressed_code.zoo.cards.load_targets", lambda: targets)
    write_card(folder, pd.DataFrame(rows, columns=["model", "quantity", "value", "low", "high", "n"]))
    card = (folder / "README.md").read_text()
    assert "| standard | 10 | 80.0 (49.0–94.3) |" in card
    assert "| go | 2.500 |" in card
    assert "0.432 of the probability, entropy 2.00 nats" in card
    assert "- `pass_standard` between 0.95 and 1: missed, 0.800" in card
    assert "- `pkp` between 0.3 and 0.8: met, 0.432" in card


def test_targets_of_unknown_models_are_refused(tmp_path):
    path = tmp_path / "zoo.yml"
    path.write_text("models: {a: {}}\ntargets: {b: {pkp: [0, 1]}}\n")
    with pytest.raises(InputError, match=r"targets\.b: is not a model"):
        load_targets(path)
    path.write_text("models: {a: {}}\ntargets: {a: {pkp: 0.5}}\n")
    with pytest.raises(InputError, match=r"targets\.a\.pkp: must be \[lowest, highest\]"):
        load_targets(path)


def test_held_out_loss_of_a_uniform_model(byte_level_tokenizer, tmp_path):
    from transformers import AutoTokenizer

    from compressed_code.zoo.tokenizer import save_tokenizer

    save_tokenizer(byte_level_tokenizer, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = model_of(vocabulary=512)
    torch.nn.init.zeros_(model.model.embed_tokens.weight)
    table = held_out_loss(model, tokenizer, {"python": ["def main():\n    return 1\n"]}, 64)
    assert table["nats_per_token"].item() == pytest.approx(np.log(512), rel=1e-5)
    row = table.iloc[0]
    assert row["bits_per_byte"] == pytest.approx(9 * row["tokens"] / row["bytes"], rel=1e-5)


def test_wilson_interval_against_published_values():
    """Newcombe (1998), table I: 81/263, 15/148, 0/20 and 1/29 by the score method without continuity correction."""
    for successes, trials, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(3, 2)
