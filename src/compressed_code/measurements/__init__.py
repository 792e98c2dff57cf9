"""The numbers of the notebooks: loaded where they are stored, computed where they are not.

`tables` has `measure`, the one door; `subjects` says what a measurement is of; the other modules hold the measurements.
"""

from compressed_code.measurements.tables import for_each, measure, measurement

__all__ = ["for_each", "measure", "measurement"]
