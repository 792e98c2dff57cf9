"""Runs untrusted programs against trusted tests: `Sandbox().judge(trials)` yields one verdict a trial."""

from compressed_code.sandbox.isolators import REMEDY
from compressed_code.sandbox.sandbox import Sandbox, available_isolators
from compressed_code.sandbox.trials import Limits, Outcome, Trial, Verdict

__all__ = ["REMEDY", "Limits", "Outcome", "Sandbox", "Trial", "Verdict", "available_isolators"]
