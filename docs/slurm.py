"""Measure a profile on a cluster that SLURM runs: python docs/slurm.py [arguments of `compressed-code measure`].

Edit the first call for your cluster, and run it where `sbatch` is, such as a login node; it needs pip install
'compressed-code[cluster]'. Each SLURM job becomes one worker; a worker that SLURM ends is replaced, and its job done
again. Tables go to a folder that all nodes see: --results /shared/tables, or to an object store.
"""

import sys

from dask_jobqueue import SLURMCluster

from compressed_code.__main__ import main

JOBS = 2  # of SLURM, at a time

if __name__ == "__main__":
    with SLURMCluster(
        cores=1,
        processes=1,
        memory="64GB",
        walltime="12:00:00",
        # queue="gpu",
        # job_extra_directives=["--gres=gpu:1"],  # then "memory=64e9,GPU=1" below, and --gpus 1
        # SLURM itself holds a job to its memory; Dask's own limit counts weights that are only read from files.
        worker_extra_args=["--resources", "memory=64e9", "--memory-limit", "0"],
        scheduler_options={"dashboard_address": ":0"},
    ) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=JOBS)
        code = main(["measure", "--scheduler", cluster.scheduler_address, *sys.argv[1:]])
    sys.exit(code)
