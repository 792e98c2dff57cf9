"""The commands of `python -m compressed_code`, one module each.

A module has `add_command(commands)`, which declares its arguments, and `run(options)`, which does the work by calling
what lies below. Heavy packages are imported inside `run`, so that `--help` is quick.
"""
