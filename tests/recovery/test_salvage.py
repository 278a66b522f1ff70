"""Every way in which a notebook breaks, and what comes back of it."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.recovery.evidence import EvidenceCell
from jupyter_rewind.recovery.normal import cell_of
from jupyter_rewind.recovery.salvage import Salvaged, salvage_notebook
from tests.support.notebooks import CORPUS, book_of, code_cell, corpus_files, image_output, to_bytes


def markdown(text: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text, **more}


def sample(count: int = 8, indent: int | None = 1) -> tuple[bytes, list[dict[str, Any]]]:
    """A notebook of code, text and images in Jupyter's own spelling, and its cells."""
    chance = random.Random(7)
    cells: list[dict[str, Any]] = []
    for n in range(count):
        source = f"# step {n}\nvalue_{n} = [{{'a': \"{n}\"}}]\nprint(value_{n})\n"
        cells.append(code_cell(n, source=source, outputs=[image_output(chance.randbytes(900))]))
        cells.append(markdown(f"## Part {n}\n\nWhat {n} is *for* — “so”.\n", id=f"text-{n}"))
    return to_bytes(book_of(cells), indent=indent), cells


def facts(cell: EvidenceCell) -> tuple[Any, ...]:
    return cell.kind, cell.source, json.dumps(cell.outputs), cell.cell_id


def whole(salvaged: Salvaged) -> list[tuple[Any, ...]]:
    return [facts(cell) for cell in salvaged.cells if cell.whole]


def expected(cells: list[dict[str, Any]], is_old: bool = False) -> list[tuple[Any, ...]]:
    return [facts(cell_of(cell, is_old=is_old)) for cell in cells]


def spans(raw: bytes) -> list[tuple[int, int]]:
    """Where the cells lie in a well-formed file, found without the code under test."""
    text = raw.decode("latin-1")
    match = re.search(r'"cells"\s*:\s*\[', text)
    assert match is not None
    found, at = [], match.end()
    while True:
        at += len(text[at:]) - len(text[at:].lstrip(" \n\r\t,"))
        if text[at] == "]":
            return found
        _, end = json.JSONDecoder(strict=False).raw_decode(text, at)
        found.append((at, end))
        at = end


def check(raw: bytes, broken: bytes, first: int, last: int) -> Salvaged:
    """All cells outside the damage are back, and none that was not there before."""
    cells = json.loads(raw)["cells"]
    want = expected(cells)
    salvaged = salvage_notebook(broken)
    got = whole(salvaged)
    untouched = [want[i] for i, (a, z) in enumerate(spans(raw)) if z <= first or a >= last]
    missing = Counter(untouched) - Counter(got)
    assert not missing, (first, last, salvaged.damages)
    assert not Counter(got) - Counter(want), (first, last, salvaged.damages)
    sources = [one[1] for one in want]
    outputs = {json.dumps(out) for cell in cells for out in cell_of(cell).outputs}
    for cell in salvaged.cells:
        if not cell.whole:
            assert any(cell.source in source for source in sources), cell
            assert all(json.dumps(out) in outputs for out in cell.outputs), cell
    return salvaged


def breaks(raw: bytes, chance: random.Random, rounds: int) -> list[tuple[bytes, int, int]]:
    """Truncations, runs of NULs, garbage; each with the bytes it touched."""
    made, size = [], len(raw)
    for _ in range(rounds):
        at = chance.randrange(size)
        end = min(size, at + chance.choice([1, 16, 512, 4096, 20000]))
        made.append((raw[:at], at, size))
        made.append((raw[:at] + bytes(size - at), at, size))
        made.append((raw[:at] + bytes(end - at) + raw[end:], at, end))
        end = min(size, at + chance.choice([16, 512, 4096, 20000]))
        made.append((raw[:at] + chance.randbytes(end - at) + raw[end:], at, end))
    return made


@pytest.mark.parametrize("indent", [1, None, 4])
def test_a_broken_file_gives_back_every_cell_outside_the_damage(indent: int | None) -> None:
    """Cut short, zeroed or garbled: each cell that the damage spared is back, and no other."""
    raw, _ = sample(indent=indent)
    chance = random.Random(3)
    for broken, first, last in breaks(raw, chance, 60):
        check(raw, broken, first, last)


@pytest.mark.slow
def test_real_notebooks_survive_every_kind_of_damage() -> None:
    """Real notebooks, each broken in many places, give back all cells that were spared."""
    folder = CORPUS / "notebooks"
    if not folder.is_dir():
        pytest.skip("the corpus of real notebooks is not here")
    chance = random.Random(11)
    files = sorted(folder.rglob("*.ipynb"))
    for file in chance.sample(files, 12):
        raw = file.read_bytes()
        for broken, first, last in breaks(raw, chance, 5):
            check(raw, broken, first, last)


def test_whole_notebooks_are_read_without_complaint() -> None:
    """A notebook with nothing wrong in it is not called broken."""
    for file in corpus_files():
        raw = file.read_bytes()
        book = json.loads(raw)
        sheets = book.get("worksheets") or [book]
        cells = [cell for sheet in sheets for cell in sheet.get("cells", [])]
        salvaged = salvage_notebook(file)
        assert salvaged.whole, (file, salvaged.damages)
        assert whole(salvaged) == expected(cells, book.get("nbformat", 4) < 4), file


def test_nothing_is_said_to_be_nothing() -> None:
    """Empty and blank files are told as such, with their size; no cell is made up."""
    for raw, word in ((b"", "0 bytes"), (b"\0" * 4096, "4096"), (b" \n\n", "3 bytes")):
        salvaged = salvage_notebook(raw)
        assert salvaged.cells == () and not salvaged.whole and not salvaged.complete
        assert word in salvaged.damages[0]


def test_a_cut_cell_keeps_its_beginning() -> None:
    """The lines of the cell that the file ends in are told, marked as a part."""
    raw, cells = sample()
    at = raw.index(b"print(value_5)") + 8
    salvaged = salvage_notebook(raw[:at])
    last = salvaged.cells[-1]
    assert not last.whole and not salvaged.complete
    assert "".join(cells[10]["source"]).startswith(last.source)
    assert last.source.endswith("print(va")
    assert f"byte {at}" in " ".join(salvaged.damages)


def test_an_output_never_comes_under_another_source() -> None:
    """Where damage hides the border between two cells, what lies behind it stands by itself."""
    raw, _ = sample()
    first = raw.index(b"iVBOR") if b"iVBOR" in raw else raw.index(b'"image/png"') + 40
    last = raw.index(b'"image/png"', first) + 60
    salvaged = salvage_notebook(raw[:first] + b"\0" * (last - first) + raw[last:])
    by_source = {cell.source: cell for cell in salvaged.cells if cell.outputs}
    for cell in json.loads(raw)["cells"]:
        found = by_source.get("".join(cell["source"]))
        if found is not None:
            assert list(map(json.dumps, found.outputs)) == [
                json.dumps(one) for one in cell_of(cell).outputs
            ]


def test_a_source_behind_lost_outputs_comes_back() -> None:
    """A hole in an image does not cost the code that made it."""
    raw, cells = sample()
    at = raw.index(b'"image/png"') + 100
    salvaged = salvage_notebook(raw[:at] + b"\0" * 200 + raw[at + 200 :])
    assert "".join(cells[0]["source"]) in [cell.source for cell in salvaged.cells]


def conflicted(ours: bytes, theirs: bytes) -> bytes:
    """As `git merge-file` leaves it: by real git."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in (("a", ours), ("o", b""), ("b", theirs)):
            (folder / file).write_bytes(data)
        run = subprocess.run(
            ["git", "merge-file", "-p", "-L", "HEAD", "-L", "base", "-L", "topic", "a", "o", "b"],
            cwd=folder,
            capture_output=True,
            check=False,
        )
    assert b"<<<<<<<" in run.stdout
    return run.stdout


def test_both_sides_of_a_git_conflict_are_kept_and_marked() -> None:
    """What both branches say is told once, what one says is told with the branch's name."""
    raw, cells = sample()
    book = json.loads(raw)
    book["cells"][4]["source"] = ["print('theirs')\n"]
    book["cells"].insert(9, markdown("only there", id="there"))
    salvaged = salvage_notebook(conflicted(raw, to_bytes(book)))
    marks = {cell.source: cell.metadata.get("rewind_version") for cell in salvaged.cells}
    assert marks["print('theirs')\n"] == "topic"
    assert marks["only there"] == "topic"
    assert marks["".join(cells[4]["source"])] == "HEAD"
    assert len(salvaged.cells) == len(cells) + 2
    assert Counter(marks.values())[None] == len(cells) - 1
    assert "HEAD" in salvaged.damages[0] and salvaged.complete


def test_a_conflict_in_another_style_is_understood() -> None:
    """Marks with the common ancestor between them (diff3) and with bare names."""
    raw, _ = sample(2)
    line = b'    "print(value_1)\\n"\n'
    assert line in raw
    marked = raw.replace(
        line,
        b"<<<<<<< \n" + line + b'||||||| 12ab\n    "old\\n"\n=======\n    "new\\n"\n>>>>>>> x\n',
    )
    sources = [cell.source for cell in salvage_notebook(marked).cells]
    assert any(source.endswith("print(value_1)\n") for source in sources)
    assert any(source.endswith("new\n") for source in sources)
    assert not any("old" in source for source in sources)


def test_two_notebooks_in_one_file_become_one() -> None:
    """What both have is told once; where they differ, both are kept, in place."""
    raw, cells = sample()
    book = json.loads(raw)
    book["cells"][6]["source"] = ["changed = True\n"]
    salvaged = salvage_notebook(raw + to_bytes(book))
    sources = [cell.source for cell in salvaged.cells]
    assert len(sources) == len(cells) + 1
    assert sources.index("changed = True\n") == 7
    assert salvaged.complete and not salvaged.whole


def test_the_rest_of_a_longer_version_behind_a_shorter_one() -> None:
    """A save that did not cut the old, longer file off: the new notebook, and what is old only."""
    raw, cells = sample(8)
    short = to_bytes(book_of(cells[:6]))
    salvaged = salvage_notebook(short + raw[len(short) :])
    got = whole(salvaged)
    assert got[:6] == expected(cells[:6])
    assert not Counter(got) - Counter(expected(cells))
    assert Counter(expected(cells)[8:]) - Counter(got) == Counter()


def test_blocks_of_two_versions_in_turn() -> None:
    """A file of which some blocks are old and some new: each cell once, none made up."""
    raw, cells = sample(10)
    book = json.loads(raw)
    for cell in book["cells"][::5]:
        cell["source"] = ["another\n", *cell["source"]]
    other = to_bytes(book)
    size = 4096
    mixed = b"".join(
        (raw if (at // size) % 2 else other)[at : at + size] for at in range(0, len(raw), size)
    )
    salvaged = salvage_notebook(mixed)
    known = expected(cells) + expected(book["cells"])
    sources = {one[1] for one in known}
    for cell in salvaged.cells:
        if cell.whole:
            assert cell.source in sources
    counted = Counter(facts(cell) for cell in salvaged.cells if cell.whole)
    assert max(counted.values()) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_wrong_encoding_is_understood(encoding: str) -> None:
    """Windows tools that rewrite a file in another encoding cost nothing."""
    raw, cells = sample()
    salvaged = salvage_notebook(raw.decode().encode(encoding))
    assert whole(salvaged) == expected(cells)
    assert not salvaged.whole and salvaged.complete


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Längsschnitt: où l’été coûte 5 €, «c'est ça», 20° ± 2 µm"),
        ("latin-1", "Fußgänger, niño, façade"),
        ("cp1251", "Загрузка данных и построение модели"),
    ],
)
def test_a_file_of_one_byte_a_letter_is_understood(encoding: str, text: str) -> None:
    """Old editors' western and Cyrillic letters are read as they were meant."""
    cells = [markdown(text, id="a"), code_cell(1, source=f"x = '{text.split()[0]}'\n")]
    raw = to_bytes(book_of(cells)).decode().encode(encoding)
    salvaged = salvage_notebook(raw)
    assert whole(salvaged) == expected(cells)
    assert "not in UTF-8" in salvaged.damages[0]


@pytest.mark.parametrize("cut", [30, 200, 420])
def test_a_file_of_one_byte_a_letter_that_is_cut_short_is_understood(cut: int) -> None:
    """A disk that was full cut a file that an old editor wrote: what stands before it is read."""
    texts = ["Längsschnitt: où l’été coûte", "Schluß – und «c'est ça»", "Größe"]
    cells = [
        markdown(f"{text} {number}", id=f"id{number}") for number in range(4) for text in texts
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"id{number}"
    raw = to_bytes(book_of(cells)).decode().encode("cp1252")[:-cut]
    salvaged = salvage_notebook(raw)
    before = sum(raw.find(f'"id": "id{n + 1}"'.encode()) > 0 for n in range(len(cells) - 1))
    assert whole(salvaged)[:before] == expected(cells)[:before]
    assert set(whole(salvaged)) <= set(expected(cells))
    assert "not in UTF-8" in salvaged.damages[0]
    assert not salvaged.complete


def test_a_forgotten_escape_costs_nothing() -> None:
    """A quotation mark typed into the raw file: the line is read as it was meant."""
    raw, cells = sample()
    good = b'"print(value_3)\\n"'
    assert good in raw
    cells[6]["source"][2] = 'print("value_3", "x",y)\n'
    broken = raw.replace(good, b'"print("value_3", "x",y)\\n"')
    salvaged = salvage_notebook(broken)
    assert whole(salvaged) == expected(cells)
    assert "mended" in salvaged.damages[0] and salvaged.complete


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"print(value_3)\\n"\n', b'"print(value_3)\\n",\n'),
        (b',\n  {\n   "cell_type": "code",\n   "execution_count": 4',
         b'\n  {\n   "cell_type": "code",\n   "execution_count": 4'),
        (b'\n  }\n ],', b"\n  },\n ],"),
        (b' "nbformat": 4,\n', b' "nbformat": 4,,\n'),
        (b' "nbformat_minor": 5\n}\n', b' "nbformat_minor": 5\n}\n}\n'),
        (b' "nbformat_minor": 5\n}\n', b' "nbformat_minor": 5,\n}\n'),
        (b' "nbformat_minor": 5\n}\n', b' "nbformat_minor": 5\n}\n\0\0\0\0'),
    ],
)  # fmt: skip
def test_commas_and_brackets_cost_nothing(before: bytes, after: bytes) -> None:
    """A comma or a bracket too many or too few: all cells are back whole."""
    raw, cells = sample()
    assert raw.count(before) == 1
    salvaged = salvage_notebook(raw.replace(before, after))
    assert whole(salvaged) == expected(cells)
    assert not salvaged.whole


def test_metadata_is_found_behind_damage() -> None:
    """The kernel's name is back although the notebook's end is garbled."""
    raw, _ = sample()
    at = raw.rindex(b"  }\n ],")
    salvaged = salvage_notebook(raw[: at - 30] + b"\0" * 45 + raw[at + 15 :])
    assert salvaged.metadata["kernelspec"]["name"] == "python3"


def test_a_notebook_inside_an_output_is_no_cell_of_ours() -> None:
    """Cells of a notebook that an output shows are not taken for this notebook's cells."""
    inner = {"cells": [code_cell(1, source="inner = 1\n")], "nbformat": 4}
    shown = {"output_type": "display_data", "data": {"application/json": inner}, "metadata": {}}
    cells = [code_cell(1, source="outer = 1\n", outputs=[shown]), code_cell(2, source="b = 2\n")]
    raw = to_bytes(book_of(cells))
    at = raw.index(b'"outer')
    salvaged = salvage_notebook(raw[:at] + b"\0\0\0\0\0" + raw[at + 5 :])
    assert "inner = 1\n" not in [cell.source for cell in salvaged.cells]
    assert "b = 2\n" in [cell.source for cell in salvaged.cells]


@pytest.mark.slow
def test_a_very_large_notebook_is_read_as_a_small_one_is() -> None:
    """Above 16 MB a well-formed file is read in pieces; what is told is the same."""
    from jupyter_rewind.recovery.documents import LARGE_BYTES, read_document
    from jupyter_rewind.recovery.evidence import Trace
    from tests.support.notebooks import large_book

    book = large_book(LARGE_BYTES + (4 << 20), 40)
    (document,) = read_document(Trace("file", "a.ipynb"), to_bytes(book)).documents
    assert [facts(cell) for cell in document.cells] == expected(book["cells"])
    assert document.complete and document.damages == () and document.nbformat == (4, 5)
    assert document.metadata == book["metadata"]
