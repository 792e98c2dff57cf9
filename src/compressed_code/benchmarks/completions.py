"""Where a completion ends."""

from collections.abc import Sequence

# For the completion of one function: text at the left margin that begins something else
# (Chen et al. 2021, Evaluating Large Language Models Trained on Code, §3.2).
STOP_SEQUENCES = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def truncate(completion: str, stop: Sequence[str] = STOP_SEQUENCES) -> str:
    """A completion up to the earliest stop string; the stop string itself is cut off.

    Args:
        completion: what was written after the prompt.
        stop: strings that end it; none cuts nothing.

    Example:
        >>> truncate("    return n + 1\\n\\ndef test():\\n    pass\\n", ["\\nclass", "\\ndef"])
        '    return n + 1\\n'
    """
    return completion[: min((place for place in map(completion.find, stop) if place >= 0), default=len(completion))]
