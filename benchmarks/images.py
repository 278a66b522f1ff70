"""Process images beside CRIU alone, which writes all of a kernel's memory each time, as JuSnap
does: how long making one and bringing one back takes, how long the kernel stands still, and what a
second one costs.

Each part is one kernel whose memory holds so much of random numbers. It needs what process images
need, and says so where that is not there.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from benchmarks.measure import Row, at_most, run_parts, side_by_side, wall
from jupyter_rewind.kernels.hosting.record import Place
from jupyter_rewind.kernels.hosting.rooms import ask_keeper
from jupyter_rewind.kernels.images.criu import dump_command, restore_command
from jupyter_rewind.kernels.images.imaging import ProcessImages
from jupyter_rewind.kernels.images.pulse import beats
from jupyter_rewind.model.image import ProcessImage
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.repository import Repository
from tests.support.criu import usable_criu
from tests.support.imaged import run_in

_SECONDS = 600
_BEGIN = """
import random, threading, time
parts = [bytearray(random.randbytes(1 << 20)) for _ in range({megabytes})]
longest = 0.0
def watch():
    global longest
    seen = time.monotonic()
    while True:
        time.sleep(0.005)
        now = time.monotonic()
        longest, seen = max(longest, now - seen), now
threading.Thread(target=watch, daemon=True).start()
"""
_CHANGE = """
for part in random.sample(parts, max(1, len(parts) // 100)):
    part[:] = random.randbytes(1 << 20)
"""


def measure() -> list[Row]:
    """All rows of this benchmark but the part `large`, which needs 12 GB of memory and 20 of disk;
    some minutes. Ends the process where no images can be made."""
    return run_parts({name: PARTS[name] for name in ("small", "middle")})


class Measured:
    """A kernel that can be imaged, and what is done with it."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.criu = usable_criu()
        if self.criu.problem:
            raise SystemExit(f"No process images here: {self.criu.problem}.")
        self.folder = folder
        folder.mkdir()
        self.manager = KernelManager(connection_file=str(folder / "kernel.json"))
        self.manager._kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="measured",
            language="python",
            metadata={"kernel_provisioner": {"provisioner_name": "rewind-host"}},
        )
        variables = {
            "KERNELS_IMAGES": "true",
            "KERNELS_ENABLED": "false",  # what states of variables cost is another benchmark's
            "STORE_PATH": str(folder / "states"),
            "STORE_KEY_FOLDER": str(folder / "keys"),
        }
        prefixed = {f"JUPYTER_REWIND_{name}": value for name, value in variables.items()}
        with mock.patch.dict(os.environ, prefixed):
            self.manager.start_kernel()
        self.run(_BEGIN.format(megabytes=megabytes))
        self.place = Place(folder / "kernel.json", str(self.manager.kernel_id))
        self.settings = Rewind()
        self.settings.kernels_criu = self.criu.path
        self.stores = 0
        self.bytes = 0
        self.pauses: list[float] = []
        self.pauses_alone: list[float] = []

    def end(self) -> None:
        self.manager.shutdown_kernel(now=True)

    def run(self, source: str) -> str:
        """What the cell prints."""
        return run_in(self.folder / "kernel.json", source)

    def pause(self) -> float:
        """Longest time that the kernel stood still since this was last asked."""
        return float(self.run("print(longest); longest = 0.0"))

    @contextmanager
    def images(self, name: str) -> Iterator[ProcessImages]:
        """Those of the store `name`."""
        place = self.folder / name
        with Repository.open(place / "store", key_folder=place / "keys", create=True) as found:
            yield ProcessImages(found, self.settings, self.folder)

    def dump_alone(self, *, keep: bool = False) -> float:
        """Seconds in which CRIU alone writes its files."""
        alone = self.folder / "alone"
        shutil.rmtree(alone, ignore_errors=True)
        alone.mkdir()
        command = {"command": [*dump_command(self.criu, alone)], "seconds": _SECONDS}
        self.pause()
        seconds = wall(lambda: self._ask("dump", command))
        self.bytes = sum(each.stat().st_size for each in alone.iterdir())
        if not keep:
            ask_keeper(self.place.folder, "go_on", {})
            self.pauses_alone.append(self.pause())
            shutil.rmtree(alone)
        return seconds

    def there_and_back_alone(self) -> float:
        """Seconds in which CRIU alone keeps the present and brings it back."""
        seconds = self.dump_alone(keep=True)
        alone = self.folder / "alone"
        pidfile = alone / "pid"
        command = {
            "command": [*restore_command(self.criu, alone, pidfile)],
            "pidfile": str(pidfile), "seconds": _SECONDS,
        }  # fmt: skip

        def restore() -> None:
            self._ask("restore", command)
            assert beats(self.folder / "kernel.json", _SECONDS)

        seconds += wall(restore)
        ask_keeper(self.place.folder, "trust", {})
        return seconds

    def first(self) -> float:
        """Seconds of making an image in a store that has none."""
        self.stores += 1
        self.pause()
        with self.images(f"first{self.stores}") as images:
            (hosted,) = images.kernels()
            seconds = wall(lambda: images.create(hosted))
        self.pauses.append(self.pause())
        shutil.rmtree(self.folder / f"first{self.stores}")
        return seconds

    def _ask(self, verb: str, words: dict[str, object]) -> None:
        answer = ask_keeper(self.place.folder, verb, words, seconds=_SECONDS)  # type: ignore[arg-type]
        assert "error" not in answer, answer


def _of_size(megabytes: int, rounds: int, folder: Path) -> list[Row]:
    kernel = Measured(folder, megabytes)
    try:
        return [*_first(kernel, megabytes, rounds), *_more(kernel, megabytes, rounds)]
    finally:
        kernel.end()


def _first(kernel: Measured, megabytes: int, rounds: int) -> list[Row]:
    # Memory that a virtual machine has not used yet comes slowly, to whoever is the first.
    kernel.dump_alone()
    kernel.first()
    kernel.pauses, kernel.pauses_alone = [], []
    ours, alone = side_by_side(kernel.first, kernel.dump_alone, rounds)
    pause, shortest = statistics.median(kernel.pauses), statistics.median(kernel.pauses_alone)
    size = _size(megabytes)
    return [
        at_most(
            f"image of a kernel of {size}, made and durable", "CRIU alone, not flushed",
            ours / alone, 4, f"{ours:.2f} s against {alone:.2f} s",
        ),
        at_most(
            f"image of a kernel of {size}: it stands still", "CRIU alone", pause / shortest, 1.5,
            f"{pause * 1000:.0f} ms against {shortest * 1000:.0f} ms",
        ),
    ]  # fmt: skip


def _more(kernel: Measured, megabytes: int, rounds: int) -> list[Row]:
    made: list[ProcessImage] = []
    with kernel.images("more") as images:
        (hosted,) = images.kernels()
        first = images.create(hosted)

        def second() -> float:
            kernel.run(_CHANGE)
            return wall(lambda: made.append(images.create(hosted)))

        again, alone = side_by_side(second, kernel.dump_alone, rounds)
        share = statistics.median(each.new_bytes for each in made) / first.new_bytes
        full = statistics.median(each.new_bytes for each in made) / kernel.bytes
        images.restore(hosted, made[-1])
        back, bare = side_by_side(
            lambda: wall(lambda: images.restore(hosted, made[-1])),
            kernel.there_and_back_alone,
            rounds,
        )
    size = _size(megabytes)
    new = statistics.median(each.new_bytes for each in made) / 2**20
    return [
        at_most(
            f"second image of {size}, 1 % changed", "CRIU alone, not flushed", again / alone, 2.5,
            f"{again:.2f} s against {alone:.2f} s",
        ),
        at_most(
            f"second image of {size}, new bytes", "bytes of the first", share, 0.03,
            f"{new:.1f} MB of {first.new_bytes / 2**20:.0f} MB",
        ),
        at_most(
            f"second image of {size}, new bytes", "CRIU's files, whole each time", full, 0.03,
            f"{new:.1f} MB of {kernel.bytes / 2**20:.0f} MB",
        ),
        at_most(
            f"restore into a kernel of {size}, its present kept", "CRIU's dump and restore alone",
            back / bare, 3, f"{back:.2f} s against {bare:.2f} s",
        ),
    ]  # fmt: skip


def _size(megabytes: int) -> str:
    return f"{megabytes / 1000:g} GB"


PARTS: dict[str, Callable[[Path], list[Row]]] = {
    "small": partial(_of_size, 100, 5),
    "middle": partial(_of_size, 1000, 3),
    "large": partial(_of_size, 4000, 1),
}
