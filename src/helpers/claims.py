"""Claims: what a notebook's prose says, with the number it rests on, the bound that number must keep, and why.

A claim never stops a notebook. It shows as one line with its number and verdict, in JupyterLab and in the executed
copy, from where `make figures` gathers all claims into one table and `make verify` takes a failed one for an error.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from compressed_code.reproduction.claims import Claim, Verdict

_BOUNDS: Mapping[str, tuple[str, Callable[[np.ndarray, float], np.ndarray]]] = {
    "at_least": ("at least {:.4g}", np.greater_equal),
    "at_most": ("at most {:.4g}", np.less_equal),
    "above": ("above {:.4g}", np.greater),
    "below": ("below {:.4g}", np.less),
    "equals": ("equal to {:.6g}", np.equal),
}


class Claims:
    """Makes the claims of one notebook: `claim = Claims(speaks_of_this_run)`, then `claim("...", value, ...)`.

    Example:
        >>> claim = Claims(True, draws=False)
        >>> claim.speaks(), claim.speaks("draws")
        (True, False)
    """

    def __init__(self, given: bool = True, **conditions: bool) -> None:
        """Say whether the prose speaks of this run.

        Args:
            given: false where the notebook runs on other subjects than those its prose speaks of; claims are then "not
                checked", but those that hold of any subject.
            conditions: what some sentences need besides, by name.
        """
        self._given = bool(given)
        self._conditions: dict[str, bool] = {}
        self.condition(**conditions)

    def condition(self, **conditions: bool) -> None:
        """Add conditions that are known only after a measurement."""
        self._conditions |= {name: bool(held) for name, held in conditions.items()}

    def speaks(self, *needs: str, always: bool = False) -> bool:
        """Whether a sentence speaks of this run.

        Args:
            needs: names of the conditions that it needs.
            always: it speaks of any subject, not of the default ones; `needs` are needed nevertheless.

        Raises:
            ValueError: a condition of no such name; a mistake of the notebook.
        """
        unknown = [name for name in needs if name not in self._conditions]
        if unknown:
            raise ValueError(f"no such condition: {', '.join(unknown)}; there are: {', '.join(self._conditions)}")
        return (self._given or always) and all(self._conditions[name] for name in needs)

    def __call__(
        self,
        statement: str,
        values: Any,
        *,
        quantity: str,
        because: str,
        at_least: float | None = None,
        at_most: float | None = None,
        above: float | None = None,
        below: float | None = None,
        equals: float | None = None,
        interval: tuple[Any, Any] | None = None,
        needs: Collection[str] = (),
        always: bool = False,
    ) -> None:
        """Hold measured numbers against the bound that a sentence needs, and show the result.

        Args:
            statement: the sentence; fixed text, no measured number in it.
            values: a number, or several of which each must keep the bound. None at all, or a missing one (NaN), means
                that it was not measured.
            quantity: what the values are, with unit.
            because: where the bound comes from.
            at_least, at_most, above, below, equals: the bound; at least one of them, or a lower and an upper one.
            interval: lower and upper ends, shaped as `values`; then the whole interval must keep the bound.
            needs: names of conditions without which the sentence does not speak of this run.
            always: the sentence speaks of any subject, not of the default ones; `needs` are needed nevertheless.

        Raises:
            ValueError: no bound, or no condition of that name; a mistake of the notebook, not of the numbers.

        Example:
            >>> claim = Claims()
            >>> claim(
            ...     "each bit costs more than the one before",
            ...     [1.5, 2.0],
            ...     above=1,
            ...     quantity="ratio",
            ...     because="1 is no change",
            ... )
            holds: each bit costs more than the one before · ratio 1.5 … 2 (2 values), above 1 (1 is no change)
        """
        given = {"at_least": at_least, "at_most": at_most, "above": above, "below": below, "equals": equals}
        bounds = {name: limit for name, limit in given.items() if limit is not None}
        if not bounds:
            raise ValueError(f"claim without a bound: {statement}")
        speaks = self.speaks(*needs, always=always)
        numbers = _numbers(values)
        ends = [_numbers(end) for end in interval] if interval is not None else []
        measured = all(len(part) > 0 and not np.isnan(part).any() for part in (numbers, *ends))
        if not measured or not speaks:
            verdict: Verdict = "not checked"
        else:
            held = [_BOUNDS[name][1](part, limit) for part in (numbers, *ends) for name, limit in bounds.items()]
            verdict = "holds" if np.concatenate(held).all() else "does not hold"
        made = Claim(
            statement,
            verdict,
            quantity,
            _number(numbers, ends) if measured else "",
            " and ".join(_BOUNDS[name][0].format(limit) for name, limit in bounds.items()),
            because,
        )
        _show(made)


def digits_off(stated: Mapping[str, float]) -> np.ndarray:
    """How far numbers lie from what a text says of them, in units of the text's last digit; at most ½ if rounded.

    Args:
        stated: number as the text has it → measured value.

    Example:
        >>> digits_off({"0.35": 0.3512, "45": 44.6, "1,024": 1024.0}).round(2).tolist()
        [0.12, 0.4, 0.0]
    """
    written = {text: text.replace(",", "") for text in stated}
    units = [10.0 ** -len(text.partition(".")[2]) for text in written.values()]
    distances = [abs(float(written[text]) - value) for text, value in stated.items()]
    return np.array(distances) / np.array(units)


def report_gaps(requested: Iterable[str], measured: Collection[str]) -> None:
    """Say which of the requested subjects stand in a measured table; a gap is named, never hidden."""
    requested = list(dict.fromkeys(requested))
    present = set(measured)
    missing = [name for name in requested if name not in present]
    found = [name for name in requested if name in present]
    print(f"measured {len(found)} of {len(requested)}: {', '.join(found)}")
    if missing:
        print(f"not available here, without a value in the figures below: {', '.join(missing)}")


def _numbers(values: Any) -> np.ndarray:
    return np.atleast_1d(np.asarray(values, dtype=float)).ravel()


def _number(values: np.ndarray, ends: list[np.ndarray]) -> str:
    lowest, highest, count = values.min(), values.max(), len(values)
    text = f"{lowest:.4g}" if count == 1 else f"{lowest:.4g} … {highest:.4g} ({count} values)"
    if ends:
        text += f", interval {ends[0].min():.4g} … {ends[1].max():.4g}"
    return text


def _show(claim: Claim) -> None:
    """In a notebook as an output of its own; elsewhere as a line."""
    try:
        from IPython import get_ipython
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:
        print(claim)
    else:
        shell.display_pub.publish(claim._repr_mimebundle_())
