"""Two versions mixed so that the file is still JSON: what is rebuilt beside a checkpoint."""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, at_most
from jupyter_rewind.recovery.blends import without_blends
from jupyter_rewind.recovery.documents import read_document
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, Trace
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild

LARGEST = 1_500_000


def sound_mixtures(files: Sequence[Path], size: int) -> Iterator[Row]:
    """Cells, and outputs, that neither version has, told as likely or certain."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        for number, path in enumerate(files):
            raw = path.read_bytes()
            if 6 * size < len(raw) < LARGEST:
                for mixed, newer in _mixtures(raw, size, random.Random(number)):
                    counts += _counted(Path(name) / "mixed.ipynb", mixed, raw, newer)
    yield at_most(
        f"blended cells told as likely, files that are still JSON, blocks of {size} bytes",
        "those that are told without another trace",
        counts["told"] / max(1, counts["alone"]), 0.15,
        f"{counts['told']} against {counts['alone']} in {counts['files']} files",
    )  # fmt: skip
    yield at_most(
        f"blended outputs under a cell, files that are still JSON, blocks of {size} bytes",
        "those that are there without another trace",
        counts["shown"] / max(1, counts["shown alone"]), 0.2,
        f"{counts['shown']} against {counts['shown alone']} in {counts['files']} files",
    )  # fmt: skip


def _mixtures(raw: bytes, size: int, chance: random.Random) -> Iterator[tuple[bytes, bytes]]:
    """Mixtures that are JSON, each with the newer version in it, which has a line more."""
    book = json.loads(raw)
    first = book["cells"][: max(1, len(book["cells"]) // 3)]
    cell = chance.choice(first)
    cell["source"] = "".join(cell["source"]) + "\n# one line more"
    cell["source"] = cell["source"].splitlines(keepends=True)
    newer = (json.dumps(book, indent=1, ensure_ascii=False) + "\n").encode()
    last = max(len(raw), len(newer))
    border = chance.randrange(2, max(3, last // size)) * size
    turns = [chance.random() < 0.5 for _ in range(0, last, size)]
    turned = ((newer if turn else raw)[at * size :][:size] for at, turn in enumerate(turns))
    for mixed in (
        newer[:border] + raw[border:],
        raw[:border] + newer[border:],
        b"".join(turned),
    ):
        if mixed not in (raw, newer) and _is_json(mixed):
            yield mixed, newer


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True


def _counted(path: Path, mixed: bytes, older: bytes, newer: bytes) -> Counter[str]:
    path.write_bytes(mixed)
    checkpoint = Trace("checkpoint", f"{path}-checkpoint", str(path))
    file = Trace("file", str(path), str(path))
    before = _read(checkpoint, older, 1)
    known = before.cells + _read(checkpoint, newer, 1).cells
    evidence = Evidence((_read(file, mixed, 2), before))
    alone = rebuild(path, Evidence(evidence.documents[:1]))
    beside = rebuild(path, without_blends(evidence))
    return Counter(
        {
            "files": 1,
            "alone": _unknown(alone, known),
            "told": _unknown(beside, known),
            "shown alone": _shows_unknown(alone, known),
            "shown": _shows_unknown(beside, known),
        }
    )


def _read(trace: Trace, raw: bytes, time_ns: int) -> FoundDocument:
    return read_document(trace, raw, time_ns=time_ns).documents[0]


def _unknown(rebuilt: Rebuilt, known: Sequence[EvidenceCell]) -> int:
    texts = {(cell.kind, cell.source) for cell in known}
    likely = (each.cell for each in rebuilt.cells if each.confidence >= 0.5)
    return sum((cell.kind, cell.source) not in texts for cell in likely)


def _shows_unknown(rebuilt: Rebuilt, known: Sequence[EvidenceCell]) -> int:
    shown = {(cell.source, _shown(cell)) for cell in known}
    cells = (each.cell for each in rebuilt.cells if each.cell.outputs)
    return sum((cell.source, _shown(cell)) not in shown for cell in cells)


def _shown(cell: EvidenceCell) -> str:
    told: list[Any] = [output.get("data") or output.get("text") for output in cell.outputs]
    return json.dumps(told)
