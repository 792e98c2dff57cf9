"""The plan of a profile as jobs, one for each model: in this process, or on many machines through Dask."""
