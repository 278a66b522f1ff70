"""Every disk that a power cut may leave of a recorded scenario, tried one after the other."""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_rewind.model.ids import EntryId
from tests.support.disk import Disk, Image, choices, write_image
from tests.support.recording import RecordingFiles
from tests.support.scenario import Broken, Run, recovers

Check = Callable[[Path, list[Any]], None]


@dataclass
class Tally:
    """How much a sweep has tried, what it caught first, and which promise that broke."""

    steps: int = 0
    images: int = 0
    caught: str = ""
    promise: str = ""


def record(scenario: Callable[[Run], None], root: Path, files: RecordingFiles | None = None) -> Run:
    """The run of `scenario` under the new folder `root`, with its log in `run.files`."""
    root.mkdir(parents=True)
    run = Run(root, files or RecordingFiles(root))
    scenario(run)
    return run


def sweep(
    run: Run,
    *,
    check: Check | None = None,
    exhaustive_up_to: int = 1024,
    samples: int = 24,
    seed: int = 1,
    looking_for: Container[str] = (),
    every: int = 1,
) -> Tally:
    """All prefixes of the run's steps, or one in `every`, each with the states it may have left on
    the disk.

    Raises AssertionError with the step and the state that lost something. Who is `looking_for`
    certain broken promises gets the first of them instead, and no other failure counts.
    """
    files = run.files
    assert isinstance(files, RecordingFiles)
    check = check or _check_store(run)
    tally = Tally(steps=sum(step.kind != "mark" for step in files.steps))
    disk, told = Disk(), []
    seen: set[tuple[bytes, int]] = set()
    rng = random.Random(seed)
    for number, step in enumerate([None, *files.steps]):
        if step is not None:
            disk.apply(step)
            if step.kind == "mark":
                told.append(step.mark)
        if number % every:
            continue
        for choice in choices(disk, rng, exhaustive_up_to, samples):
            image = disk.image(choice)
            key = (_digest(image), len(told))
            if key in seen:
                continue
            seen.add(key)
            tally.images += 1
            problem = _try(image, told, check)
            if problem is not None:
                promise = problem.promise if isinstance(problem, Broken) else ""
                if looking_for and promise not in looking_for:
                    continue
                tally.promise = promise
                tally.caught = f"after step {number} ({step and step.kind} {step and step.path}),"
                tally.caught += f" {choice}: {type(problem).__name__}: {problem}"
                if looking_for:
                    return tally
                raise AssertionError(tally.caught)
    return tally


def _check_store(run: Run) -> Check:
    turn = iter(range(1 << 30))

    def check(folder: Path, told: list[Any]) -> None:
        acked = {EntryId(name) for what, name in told if what == "saved"}
        expired = {EntryId(name) for what, name in told if what == "expired"}
        recovers(folder, run.ledger, acked, expired, thorough=next(turn) % 4 == 0)

    return check


def _try(image: Image, told: list[Any], check: Check) -> Exception | None:
    # In memory where there is such a place: the images are many and small.
    place = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="rewind-crash-", dir=place if place.is_dir() else None))
    try:
        write_image(image, folder / "image")
        check(folder / "image", told)
    except Exception as error:
        return error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


def _digest(image: Image) -> bytes:
    whole = hashlib.blake2b(digest_size=16)
    for path, content in sorted(image.items()):
        whole.update(path.encode() + b"\0")
        if content is not None:
            whole.update(b"%d" % content[0])
            for sector, data in sorted(content[1].items()):
                whole.update(b"%d:" % sector + data)
    return whole.digest()
