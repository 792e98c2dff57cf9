"""Train one model of the zoo: token budget, fixed thread count, resumable, the same weights at every run.

Weights in the hidden blocks are trained with Muon, embeddings and norms with AdamW, all in float32. A batch depends
on (seed, step) alone, so a training that was killed goes on where its last saved state stands.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError
from compressed_code.zoo.dataset import CONTEXT, Dataset
from compressed_code.zoo.muon import Muon
from compressed_code.zoo.recipes import Recipe, Size

ROWS = 16  # rows a step
WARMUP_STEPS = 60
FINAL_RATE = 0.05  # of the peak learning rate, reached linearly
MUON = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.01}
ADAMW = {"lr": 4e-3, "betas": (0.9, 0.95), "weight_decay": 0.0}
CLIP = 1.0
SAVE_EVERY = 100  # steps


def build_model(size: Size, vocabulary_size: int, special_ids: dict[str, int], seed: int) -> LlamaForCausalLM:
    """A randomly initialised Llama with tied embeddings, float32.

    Args:
        special_ids: `bos_token_id`, `eos_token_id` and `pad_token_id`.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        intermediate_size=size.feed_forward,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        **special_ids,
    )
    return LlamaForCausalLM(config)


def train(
    model: LlamaForCausalLM,
    dataset: Dataset,
    recipe: Recipe,
    state_file: Path | None,
    *,
    teacher: LlamaForCausalLM | None = None,
    position: int = 0,
) -> list[float]:
    """Train in place for `recipe.tokens` tokens.

    Args:
        state_file: where the state is saved every `SAVE_EVERY` steps and taken up again; `None` keeps none.
        teacher: learn its next-token distribution (forward KL at temperature 1) instead of the text.
        position: line of the progress bar.

    Returns:
        Training loss of every step, in nats per token.

    Raises:
        InputError: the loss is not finite, or the state cannot be written.
    """
    torch.set_num_threads(1)  # two threads differ from one, and collapse beside any other load
    steps = max(1, recipe.tokens // (CONTEXT * ROWS))
    optimizers = _optimizers(model, recipe.learning_rate)
    first, losses = _resume(model, optimizers, state_file, recipe)
    objective = _distillation(teacher) if teacher is not None else _language_modelling
    model.train()
    progress = range(first, steps)
    for step in tqdm(
        progress, desc=recipe.key, initial=first, total=steps, position=position, disable=None, unit="step"
    ):
        rows = torch.from_numpy(dataset.batch(recipe.mixture, recipe.seed, step, ROWS, CONTEXT + 1))
        _set_rates(optimizers, step, steps)
        loss = objective(model, rows[:, :-1], rows[:, 1:])
        if not torch.isfinite(loss):
            raise InputError(
                f"{recipe.key}: the loss is {loss.item()} at step {step}; lower learning_rate in its recipe"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if state_file is not None and ((step + 1) % SAVE_EVERY == 0 or step + 1 == steps):
            _save(model, optimizers, losses, state_file, recipe)
    return losses


def weight_hash(model: torch.nn.Module) -> str:
    """sha256 over all weights, names and shapes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _language_modelling(model: LlamaForCausalLM, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(_logits(model, inputs), targets.reshape(-1))


def _distillation(teacher: LlamaForCausalLM) -> Callable[..., torch.Tensor]:
    """KL(teacher ‖ student), Hinton et al. (2015) at temperature 1, averaged over tokens."""
    teacher.eval()

    def objective(model: LlamaForCausalLM, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = functional.log_softmax(_logits(teacher, inputs), dim=-1)
        learnt = functional.log_softmax(_logits(model, inputs), dim=-1)
        return functional.kl_div(learnt, wanted, log_target=True, reduction="batchmean")

    return objective


def _logits(model: LlamaForCausalLM, inputs: torch.Tensor) -> torch.Tensor:
    """Next-token logits, float32 [rows × tokens, vocabulary]."""
    return model(input_ids=inputs, use_cache=False).logits.flatten(0, 1)


def _optimizers(model: LlamaForCausalLM, learning_rate: float) -> list[torch.optim.Optimizer]:
    blocks = [p for p in model.model.layers.parameters() if p.ndim == 2]
    in_blocks = {id(p) for p in blocks}
    others = [p for p in model.parameters() if id(p) not in in_blocks]
    muon = Muon(blocks, **{**MUON, "lr": MUON["lr"] * learning_rate})
    adamw = torch.optim.AdamW(others, **{**ADAMW, "lr": ADAMW["lr"] * learning_rate})
    for optimizer in (muon, adamw):
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return [muon, adamw]


def _set_rates(optimizers: list[torch.optim.Optimizer], step: int, steps: int) -> None:
    """Linear warm-up, then linear decay to `FINAL_RATE` of the peak."""
    warmup = min(WARMUP_STEPS, max(1, steps // 10))
    decay = 1 - (1 - FINAL_RATE) * max(0, step - warmup) / max(1, steps - warmup)
    factor = min((step + 1) / warmup, decay)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor


def _save(model: torch.nn.Module, optimizers: list, losses: list[float], state_file: Path, recipe: Recipe) -> None:
    state = {
        "recipe": recipe.model_dump(),
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "losses": losses,
    }
    try:
        with written_whole(state_file) as part:
            torch.save(state, part)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{state_file}: the training state could not be written ({error}); free disk space") from None


def _resume(
    model: torch.nn.Module, optimizers: list, state_file: Path | None, recipe: Recipe
) -> tuple[int, list[float]]:
    if state_file is None or not state_file.exists():
        return 0, []
    state = torch.load(state_file, weights_only=True)
    if state["recipe"] != recipe.model_dump():
        return 0, []  # the recipe changed since: begin anew
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return len(state["losses"]), state["losses"]
