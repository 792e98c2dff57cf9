"""Runs untrusted programs against trusted tests: `Sandbox().judge(trials)` yields one verdict a trial."""

from compressed_code.sandbox.isolators import REMEDY
from compressed_code.sandbox.sandbox import Sandbox, available_isolators
from compressed_code.sandbox.trials import STAGES, Limits, Outcome, Stage, Trial, Verdict

__all__ = ["REMEDY", "STAGES", "Limits", "Outcome", "Sandbox", "Stage", "Trial", "Verdict", "available_isolators"]
