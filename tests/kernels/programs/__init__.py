"""Random programs of cells with restores between them, compared with running the cells again.

`python -m tests.kernels.programs --programs 100000 --shards 8` runs as many as are wanted.
"""
