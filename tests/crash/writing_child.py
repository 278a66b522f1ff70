"""A process that writes to a store for ever, and says of each commit that it was acknowledged.

    python -m tests.crash.writing_child ROOT NUMBER POWER|PROCESS

One line on stdout for each commit: the entry's id and the seed of its content.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from jupyter_rewind.store.repository import Repository


def content(seed: int) -> bytes:
    """Some of it shared between writers, some large, most small."""
    rng = random.Random(seed % 50)
    return rng.randbytes(rng.choice((20, 900, 5000, 200_000)))


def main() -> None:
    root, number, durability = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    rng = random.Random(f"{number} {os.getpid()}")
    with Repository.open(
        root / "store",
        key_folder=root / "keys",
        index_path=root / "index.sqlite",
        durability=durability,
    ) as repository:
        while True:
            seed = rng.randrange(1 << 30)
            with repository.transaction() as tx:
                names = tx.put(content(seed))
                entry = tx.add("note", keys=["k"], body={"seed": seed}, roots=names)
            # One write of one line: it is in the pipe whole, or not at all.
            os.write(1, f"{entry.id} {seed}\n".encode())


if __name__ == "__main__":
    main()
