"""`jupyter rewind recover` in a folder: notebooks of which only a damaged file is left."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faces.cli.conftest import SECOND, Rewind


def sources_of(raw: bytes) -> list[str]:
    return ["".join(each["source"]) for each in json.loads(raw)["cells"]]


def test_damaged_notebook_of_which_nothing_else_is_left_is_brought_back_with_all(
    work: Path, rewind: Rewind
) -> None:
    """What still reads of a file cut short is something: it is listed, and --all brings it back."""
    (work / "cut.ipynb").write_bytes(SECOND[:-30])
    (work / "zeros.ipynb").write_bytes(bytes(500))
    ended = rewind("recover")
    assert {row[0]: row[1] for row in ended.rows} == {"cut.ipynb": "damaged"}
    assert "zeros.ipynb is there, but it holds nothing but NUL bytes" in ended.err
    ended = rewind("recover", "--all")
    assert ended.status == 0, ended.err
    assert sources_of((work / "cut.recovered.ipynb").read_bytes()) == sources_of(SECOND)
    assert (work / "cut.ipynb").read_bytes() == SECOND[:-30]
    assert not (work / "zeros.recovered.ipynb").exists()
