"""Salvage: real notebooks broken in every way, what comes back of them, and json-repair beside it.

Each notebook of the corpus is cut at 20 offsets, zeroed, garbled and doubled. What must come back
are the cells that the damage did not touch; a cell that equals none of the original is made up.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import json_repair
import nbformat

from benchmarks.material import CORPUS
from benchmarks.measure import Row, at_least, at_most
from benchmarks.salvage_mixed import sound_mixtures
from jupyter_rewind.recovery.assembly import as_notebook
from jupyter_rewind.recovery.normal import cell_of
from jupyter_rewind.recovery.salvage import salvage_notebook

CUTS = 20
HOLES = 4
LARGEST_FOR_PEER = 60_000
VALIDATED = 7
_TOLD = """
import atexit, sys
from pathlib import Path
from jupyter_rewind.faces.cli.app import main
status = Path("/proc/self/status")
atexit.register(lambda: print(status.read_text().split("VmHWM:")[1].split()[0]))
sys.exit(main())
"""
Facts = Counter[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken file: how, its bytes, the cells it must give back, and those it may."""

    how: str
    raw: bytes
    due: Facts
    known: Facts


@dataclass(slots=True)
class Tally:
    due: int = 0
    found: int = 0
    made_up: int = 0
    files: int = 0

    def add(self, broken: Broken, got: Facts) -> None:
        self.files += 1
        self.due += broken.due.total()
        self.found += (broken.due & got).total()
        self.made_up += sum(count for cell, count in got.items() if cell not in broken.known)

    @property
    def recall(self) -> float:
        return self.found / self.due if self.due else 1.0


def measure() -> list[Row]:
    """All rows; about five minutes, most of them json-repair's."""
    files = sorted((CORPUS / "notebooks").rglob("*.ipynb"))
    if not files:
        raise SystemExit("The corpus of real notebooks is not here: nothing to break.")
    ours: dict[str, Tally] = {}
    beside: dict[str, tuple[Tally, Tally]] = {}
    invalid = validated = 0
    for number, path in enumerate(files):
        for turn, broken in enumerate(broken_files(path, random.Random(number))):
            got = salvage(broken.raw)
            ours.setdefault(broken.how, Tally()).add(broken, facts(got.cells))
            if (number + turn) % VALIDATED == 0:
                validated += 1
                invalid += not is_valid(got)
            if len(broken.raw) <= LARGEST_FOR_PEER and (broken.how != "cut short" or turn < 2):
                mine, theirs = beside.setdefault(broken.how, (Tally(), Tally()))
                mine.add(broken, facts(got.cells))
                theirs.add(broken, peer(broken.raw))
    rows = [row for how, tally in ours.items() for row in rows_of(how, tally)]
    rows += [beside_peer(how, *pair) for how, pair in beside.items()]
    rows.append(
        at_most("salvaged notebooks that are not valid", "none", invalid, 0, f"of {validated}")
    )
    for size in (4096, 512):
        rows += [*in_turn(files, size), *sound_mixtures(files, size)]
    return [*rows, *memory()]


def in_turn(files: list[Path], size: int) -> Iterator[Row]:
    """Blocks of two versions in turn: cells told as whole that neither version has."""
    told = blended = 0
    for number, path in enumerate(files):
        raw = path.read_bytes()
        text, second = changed(json.loads(raw), random.Random(number))
        mixed = b"".join(
            (raw, text)[at // size % 2][at : at + size]
            for at in range(0, max(len(raw), len(text)), size)
        )
        known = second | facts([cell_of(cell) for cell in json.loads(raw)["cells"]])
        got = facts(salvage(mixed).cells)
        told += got.total()
        blended += sum(count for cell, count in got.items() if cell not in known)
    yield at_most(
        f"cells blended, two versions in turn every {size} bytes", "cells told as whole",
        blended / max(1, told), 0.005 if size > 512 else 0.02,
        f"{blended} of {told} in {len(files)} files",
    )  # fmt: skip


def rows_of(how: str, tally: Tally) -> Iterator[Row]:
    figures = f"{tally.found} of {tally.due} cells in {tally.files} files"
    yield at_least(f"cells outside the damage, {how}", "all of them", tally.recall, 1, figures)
    figures = f"in {tally.files} files"
    yield at_most(f"cells made up, {how}", "none", tally.made_up, 0, figures)


def beside_peer(how: str, mine: Tally, theirs: Tally) -> Row:
    figures = (
        f"{mine.recall:.3f} and {mine.made_up} made up, against {theirs.recall:.3f} and"
        f" {theirs.made_up} made up, in {mine.files} files"
    )
    ratio = mine.recall / max(theirs.recall, 0.001)
    return at_least(f"cells brought back, {how}", "json-repair", ratio, 1, figures)


def salvage(raw: bytes) -> Any:
    return salvage_notebook(raw)


def is_valid(salvaged: Any) -> bool:
    book = as_notebook([(cell, {}) for cell in salvaged.cells], salvaged.metadata, {})
    try:
        nbformat.validate(book)
    except nbformat.ValidationError:
        return False
    return True


def peer(raw: bytes) -> Facts:
    """What json-repair gives back, told in the same words."""
    repaired = json_repair.loads(raw.decode("utf-8", "replace"))
    books = repaired if isinstance(repaired, list) else [repaired]
    lists = [book.get("cells") for book in books if isinstance(book, dict)]
    cells = [cell for cells in lists if isinstance(cells, list) for cell in cells]
    return facts([cell_of(cell) for cell in cells if isinstance(cell, dict)])


def facts(cells: Any) -> Facts:
    whole = (cell for cell in cells if cell.whole)
    return Counter((cell.kind, cell.source, json.dumps(cell.outputs)) for cell in whole)


def broken_files(path: Path, chance: random.Random) -> Iterator[Broken]:
    raw = path.read_bytes()
    book = json.loads(raw)
    cells = facts([cell_of(cell) for cell in book["cells"]])
    told = [facts([cell_of(cell)]) for cell in book["cells"]]
    places = spans(raw)
    size = len(raw)

    def outside(first: int, last: int) -> Facts:
        pairs = zip(places, told, strict=True)
        return sum((one for (a, z), one in pairs if z <= first or a >= last), Counter())

    for _ in range(CUTS):
        at = chance.randrange(size)
        yield Broken("cut short", raw[:at], outside(at, size), cells)
    at = chance.randrange(size)
    yield Broken("end zeroed", raw[:at] + bytes(size - at), outside(at, size), cells)
    for fill, how in ((bytes, "hole of NULs"), (chance.randbytes, "garbage")):
        for _ in range(HOLES):
            at = chance.randrange(size)
            end = min(size, at + chance.choice([16, 512, 4096, 20000]))
            yield Broken(how, raw[:at] + fill(end - at) + raw[end:], outside(at, end), cells)
    yield from doubled(raw, cells, chance)


def doubled(raw: bytes, cells: Facts, chance: random.Random) -> Iterator[Broken]:
    """Two versions in one file: one behind the other, and the rest of the longer one."""
    text, second = changed(json.loads(raw), chance)
    known = cells | second
    yield Broken("two notebooks in one file", raw + text, known, known)
    behind = text + raw[len(text) :]
    yield Broken("rest of a longer version behind", behind, second, known)


def changed(other: Any, chance: random.Random) -> tuple[bytes, Facts]:
    """Another version of a notebook: some cells changed, some deleted."""
    for cell in other["cells"]:
        if chance.random() < 0.1:
            cell["source"] = ["changed\n", *cell["source"]]
    other["cells"] = [cell for cell in other["cells"] if chance.random() > 0.1]
    second = facts([cell_of(cell) for cell in other["cells"]])
    return (json.dumps(other, indent=1, ensure_ascii=False) + "\n").encode(), second


def spans(raw: bytes) -> list[tuple[int, int]]:
    """Where each cell of a well-formed notebook lies, by the parser of the standard library."""
    text = raw.decode("latin-1")
    found = re.search(r'"cells"\s*:\s*\[', text)
    assert found is not None
    places, at, decoder = [], found.end(), json.JSONDecoder(strict=False)
    gap = re.compile(r"[\s,]*")
    while True:
        between = gap.match(text, at)
        at = between.end() if between else at
        if text[at] == "]":
            return places
        _, end = decoder.raw_decode(text, at)
        places.append((at, end))
        at = end


def memory() -> list[Row]:
    """Peak memory of the whole command above that for a tiny notebook, for files cut short."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        least = _peak_of(folder, "tiny", [])
        return [
            at_most(
                f"memory of `recover` for a broken file with {what}", "the size of the file",
                (_peak_of(folder, what, outputs) - least) / _size(folder, what), 3,
                f"of {_size(folder, what) >> 20} MB, cut short; {least >> 20} MB for a tiny one",
            )
            for what, outputs in _huge()
        ]  # fmt: skip


def _huge() -> Iterator[tuple[str, list[Any]]]:
    def picture(size: int) -> Any:
        data = {"image/png": "A" * size}
        return {"output_type": "display_data", "metadata": {}, "data": data}

    text = [f"{number}: as long as lines that are printed usually are\n" for number in range(10**6)]
    yield "one picture", [picture(50 << 20)]
    yield "ten pictures", [picture(6 << 20)] * 10
    yield "a million lines", [{"output_type": "stream", "name": "stdout", "text": text}]


def _size(folder: Path, what: str) -> int:
    return (folder / f"{what}.ipynb").stat().st_size


def _peak_of(folder: Path, what: str, outputs: list[Any]) -> int:
    """The most memory that the process held, as the system counts it."""
    cells = [
        {"cell_type": "code", "source": f"x{at}", "metadata": {}, "outputs": [output]}
        for at, output in enumerate(outputs)
    ]
    last = {"cell_type": "code", "source": "last", "metadata": {}, "outputs": []}
    raw = json.dumps({"cells": [*cells, last], "nbformat": 4}, indent=1).encode()
    path = folder / f"{what}.ipynb"
    path.write_bytes(raw[:-40])
    done = subprocess.run(
        [sys.executable, "-c", _TOLD, "recover", str(path)],
        env=os.environ | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.splitlines()[-1]) << 10
