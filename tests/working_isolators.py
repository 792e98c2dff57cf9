"""The isolators that work on this machine, each tried once by a process."""

from functools import cache

from compressed_code.sandbox import available_isolators

working_isolators = cache(available_isolators)
