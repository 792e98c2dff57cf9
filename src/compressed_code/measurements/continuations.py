"""What a model expects after a text, and what it would write."""

import pandas as pd

from compressed_code.code_generation.requests import Request, Settings, end_ids
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.measurements.subjects.writers import Writer, WriterSubject
from compressed_code.measurements.tables import measurement
from compressed_code.models.precision import precision_of
from compressed_code.models.start_contexts import start_context
from compressed_code.tokenizers.files import open_tokenizer


@measurement(version=1, subject=WriterSubject(), packages=["torch", "transformers"])
def continuation(
    writer: Writer, text: str = "", context: str = "document", kept: int = 20, max_tokens: int = 48
) -> pd.DataFrame:
    """The most probable next tokens after a text, and the greedy continuation of it.

    Args:
        text: what the model reads, after the start context; it may be empty.
        context: one of `start_contexts.CONTEXTS`.
        kept: how many of the most probable tokens are stored, at least 1.
        max_tokens: most tokens that are written, at least 1.

    Returns:
        Columns `rank` (from 1, the most probable), `token_id`, `bytes`, `probability` (of the whole output layer,
        float64) and, the same in every row, `written` (text), `finish_reason` (`code_generation.requests.Completion`),
        `input_tokens` and `precision` (`compressed_code.models.precision`).

    Raises:
        InputError: a number below 1, or the text is longer than the model's window.
        Unavailable: the tokenizer cannot encode the text, or there is nothing to begin with.
    """
    import torch

    from compressed_code.code_generation.engine import write_programs
    from compressed_code.models.load import load_model

    if kept < 1:
        raise InputError(f"kept = {kept}: must be at least 1")
    vocabulary, start = open_tokenizer(writer.tokenizer), start_context(writer.path, context)
    ids = (*start.ids, *vocabulary.encode(text))
    if not ids:
        raise Unavailable(f"{writer.spec.key}: a token follows at least one id; give a text, or another start context")
    precision = precision_of(writer.path)
    model = load_model(writer.path, dtype=precision)
    # One sequence at a time is what batch invariance would go back to.
    settings = Settings(max_tokens=max_tokens, end_ids=end_ids(model, writer.path), batch=1, batch_invariant=False)
    ((completion,),) = write_programs(model, vocabulary, [Request("text", 0, ids)], settings)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1].double()
    probabilities, best = logits.softmax(-1).topk(min(kept, len(logits)))
    tokens = best.tolist()
    spelled = [vocabulary.tokens[token] if token < len(vocabulary) else None for token in tokens]
    return pd.DataFrame(
        {
            "rank": range(1, len(tokens) + 1),
            "token_id": tokens,
            "bytes": pd.Series(spelled, dtype=object),
            "probability": probabilities.numpy(),
            "written": completion.text,
            "finish_reason": completion.finish_reason,
            "input_tokens": len(ids),
            "precision": precision,
        }
    )
