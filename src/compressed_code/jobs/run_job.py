"""One job, wherever it runs: its tables are made one after the other and stored as `measure` stores them."""

import json
import os
import socket
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compressed_code.core.errors import InputError, in_one_line
from compressed_code.core.paths import RESULTS
from compressed_code.core.shared_store import SharedStore, shared_through
from compressed_code.core.table_store import find_table, why_unstored
from compressed_code.jobs.job import Job, Wanted
from compressed_code.measurements.stored_tables import stored_key, stored_table, times_computed
from compressed_code.measurements.tables import Measurement
from compressed_code.registry.lookup import Registry, load_registry

COMPUTED, STORED, MISSING = "computed", "stored", "missing"


@dataclass(frozen=True)
class Outcome:
    """What became of one table.

    Attributes:
        model, measurement: whose, and what.
        parameters: those that were given, as JSON.
        state: "computed", "stored" (it was there, or another run made it meanwhile) or "missing"; so is one that was
            computed and could not be kept.
        key: under which it is stored; empty where it is missing.
        seconds: that this job spent on it.
        host: machine and process.
        note: why it is missing, or why it is on that machine only.
    """

    model: str
    measurement: str
    parameters: str
    state: str
    key: str
    seconds: float
    host: str
    note: str = ""


def run_job(job: Job, place: str | None = None, patience: float | None = None) -> list[Outcome]:
    """Make what is not stored of a job's tables; a table that cannot be had is told, and the others are made.

    Args:
        place: folder that all machines see, or address of an object store (`core.shared_store`), beside which tables
            lie where this process keeps its own; by default there alone.
        patience: of an object store, in seconds.

    Returns:
        One outcome for each of its tables.

    Raises:
        InputError: the place is no store that is known here.
    """
    registry, directory = load_registry(), RESULTS
    store = None
    if place and is_address(place):
        store = SharedStore(place) if patience is None else SharedStore(place, patience)
    elif place:
        directory = Path(place)
    with shared_through(store):
        return [_outcome(job.model, table, registry, directory, store) for table in job.tables]


def is_address(place: str) -> bool:
    """Whether a place is an address of an object store, not a folder."""
    return "://" in place


@cache
def known_measurements() -> Mapping[str, Measurement]:
    """The measurements that a job can name."""
    from compressed_code.measurements import code_generation, cold_start, fidelity

    modules = (cold_start, code_generation, fidelity)
    return {one.name: one for module in modules for one in vars(module).values() if isinstance(one, Measurement)}


def _outcome(model: str, table: Wanted, registry: Registry, directory: Path, store: SharedStore | None) -> Outcome:
    started, key = time.perf_counter(), ""
    try:
        what = known_measurements().get(table.measurement)
        if what is None:
            raise InputError(f"{table.measurement}: no such measurement; there are {', '.join(known_measurements())}")
        key = stored_key(what, model, registry, table.parameters)
        before = times_computed(key)
        stored_table(what, model, registry, table.parameters, directory)
        if (why := why_unstored(directory)) and find_table(directory, what.name, key) is None:
            raise InputError(
                f"{directory} on {socket.gethostname()}: the table cannot be kept there ({why}); make room or the "
                "right to write there, or name another place with --results, and run the same command again"
            )
        state = COMPUTED if times_computed(key) > before else STORED
        note = f"only on {socket.gethostname()}: {store.silent}" if store and store.silent else ""
    except InputError as error:
        state, key, note = MISSING, "", str(error)
    except Exception as error:  # whatever a library raises for one model, the others are measured
        traceback.print_exc()
        state, key, note = MISSING, "", f"{type(error).__name__}: {in_one_line(error)}"
    seconds = round(time.perf_counter() - started, 3)
    parameters = json.dumps(dict(table.parameters), sort_keys=True)
    host = f"{socket.gethostname()}/{os.getpid()}"
    return Outcome(model, table.measurement, parameters, state, key, seconds, host, note)
