"""`robustness`: what `make robustness` runs."""

import argparse

HELP = "Run the notebooks under settings that imitate other machines, and say which claims hold and what moves."
NOT_ROBUST = 1


def add_command(commands: argparse._SubParsersAction) -> None:
    """Declare the arguments."""
    command = commands.add_parser("robustness", help=HELP, description=HELP)
    command.add_argument("--short", action="store_true", help="two reduced notebooks under two settings, in minutes")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print tables of claims, columns and files; exit code 1 where a run failed, or the short form finds a fault."""
    from helpers.robustness import ROBUSTNESS_FILE, changes_by_setting, claims_by_setting, robustness, short_robustness
    from helpers.verification_report import as_text

    def say(line: str) -> None:
        print(line, flush=True)

    found, faults = short_robustness(say) if options.short else (robustness(say), [])
    claims = claims_by_setting(found.table)
    print(f"\nSettings in which each claim holds:\n\n{as_text(claims)}")
    for kind, title in (("column", "Largest relative change, of columns that move"), ("file", "Files, by their bytes")):
        changes = changes_by_setting(found.table, kind)
        print(f"\n{title}:\n\n{as_text(changes.fillna(''))}" if len(changes) else f"\n{title}: none")
    for line in found.left_out:
        print(line)
    for name, words in found.failed.items():
        print(f"{name}: failed: {words}")
    print(*[f"not robust: {fault}" for fault in faults], sep="\n")
    if not options.short:
        print(f"written: {ROBUSTNESS_FILE}")
    if found.failed or faults:
        raise SystemExit(NOT_ROBUST)
