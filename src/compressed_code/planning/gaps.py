"""Which models of a profile cannot be measured here, each with the reason, found before anything is computed."""

from collections.abc import Callable, Mapping

from compressed_code.checkpoints.hub_access import require_access
from compressed_code.core.errors import Unavailable
from compressed_code.planning.layouts import Layout
from compressed_code.planning.plan import Machine, plan
from compressed_code.planning.profiles import MeasuredName, Profile
from compressed_code.registry.lookup import Registry
from compressed_code.registry.specs import ModelSpec

Gaps = Mapping[MeasuredName, Mapping[str, str]]


def find_gaps(
    profile: Profile,
    registry: Registry,
    layouts: Mapping[str, Layout],
    machine: Machine,
    access: Callable[[str, str | None], None] = require_access,
) -> Gaps:
    """Measurement → model → why it is left out of it.

    A Hub that does not answer is asked no more; one that does is asked once for every repository.

    Args:
        access: raises `Unavailable` where a repository cannot be had.
    """
    answers: dict[str, str] = {}
    refused: dict[str, str] = {}
    for name in profile.every_model():
        row = registry.models[name]
        if row.hub is None:
            continue
        if row.hub not in answers:
            answers[row.hub] = _answer(row, machine, access)
        if answers[row.hub]:
            refused[name] = answers[row.hub]
    too_large = plan(profile, registry, layouts, None, Machine(machine.memory, machine.disk, token=True))
    gaps: dict[MeasuredName, dict[str, str]] = {}
    for measurement in profile.measured:
        own = too_large[(too_large["measurement"] == measurement) & (too_large["missing"] != "")]
        reasons = dict(zip(own["model"], own["missing"], strict=True)) | refused
        gaps[measurement] = {name: reasons[name] for name in profile.models(measurement) if name in reasons}
    return gaps


def _answer(row: ModelSpec, machine: Machine, access: Callable[[str, str | None], None]) -> str:
    """Why a repository cannot be had; empty where it can."""
    if machine.no_hub:
        return f"no Hub answers: {machine.no_hub}; connect, or name its folder as the row's path"
    try:
        access(row.hub, row.revision)
    except Unavailable as gap:
        return str(gap)
    return ""


def told(gaps: Gaps) -> list[str]:
    """One line for each model: why it is left out, and of what if not of everything."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for measurement, models in gaps.items():
        for name, reason in models.items():
            reasons.setdefault(name, {}).setdefault(reason, []).append(measurement)
    lines = []
    for name, found in reasons.items():
        parts = [reason if len(of) == len(gaps) else f"{', '.join(of)}: {reason}" for reason, of in found.items()]
        lines.append(f"{name}: left out: {'; '.join(parts)}")
    return lines
