"""Runs many random programs, in several processes, and tells the seed of each that failed.

    python -m tests.kernels.programs --programs 100000 --shards 8 [--first SEED]

A seed stands for a batch of programs; `--programs 250 --first SEED` runs just that one again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import traceback
import warnings
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.kernels.programs.grammar import LONG_PROGRAMS, PROGRAMS, Do
from tests.kernels.programs.machine import follow

BATCH = 250


def run_batch(number: int, programs: int) -> bool:
    """True when all of these programs come back as they must; else the smallest is printed."""

    @seed(number)
    @settings(
        max_examples=programs,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(LONG_PROGRAMS if number % 4 == 3 else PROGRAMS)
    def run(steps: Sequence[Do]) -> None:
        follow(steps)

    try:
        run()
    except BaseException as error:
        print(f"== seed {number} FAILED", flush=True)
        traceback.print_exception(error)
        if isinstance(error, KeyboardInterrupt):
            raise
        return False
    return True


def run_shard(seeds: Sequence[int], programs: int) -> int:
    """Runs these batches one after another; how many failed."""
    warnings.simplefilter("ignore")
    failed = 0
    for done, number in enumerate(seeds, 1):
        failed += not run_batch(number, programs)
        print(f"{done * programs} programs, {failed} seeds failed", flush=True)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="the seed of the first batch")
    asked = parser.parse_args(arguments)
    batch = min(BATCH, asked.programs)
    seeds = range(asked.first, asked.first + -(-asked.programs // batch))
    if asked.shards == 1:
        return 1 if run_shard(seeds, batch) else 0
    workers = []
    for shard in range(asked.shards):
        first = asked.first + len(seeds) * shard // asked.shards
        end = asked.first + len(seeds) * (shard + 1) // asked.shards
        command = [sys.executable, "-m", __package__, "--first", str(first)]
        workers.append(subprocess.Popen([*command, "--programs", str((end - first) * batch)]))
    failed = [worker.wait() for worker in workers]
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
