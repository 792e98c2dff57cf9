"""Runs untrusted programs against trusted tests: `Sandbox().judge(trials)` yields one verdict a trial."""

from helpers.sandbox.isolators import REMEDY
from helpers.sandbox.sandbox import Sandbox, available_isolators
from helpers.sandbox.trials import Limits, Outcome, Trial, Verdict

__all__ = ["REMEDY", "Limits", "Outcome", "Sandbox", "Trial", "Verdict", "available_isolators"]
