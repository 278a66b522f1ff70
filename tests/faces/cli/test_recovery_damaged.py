"""`jupyter rewind recover` where a damaged file, or one of an old format, is all that is left."""

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


def test_notebook_of_the_oldest_format_is_not_called_empty(work: Path, rewind: Rewind) -> None:
    """A notebook of 2011 has its code elsewhere in the file; it is whole, and is said to be."""
    cells = [
        {"cell_type": "code", "code": "a = 1", "prompt_number": 1},
        {"cell_type": "text", "text": "hello"},
    ]
    book = work / "old.ipynb"
    book.write_text(json.dumps({"nbformat": 1, "cells": cells}))
    ended = rewind("recover", book, "--json")
    assert (ended.data["state"], ended.data["cells"]) == ("whole", 2)
    book.write_text(json.dumps({"nbformat": 1, "cells": [{"cell_type": "code", "code": " "}]}))
    (work / "other.ipynb").write_bytes(SECOND)
    listed = rewind("recover", "--json").data["notebooks"]
    states = {one["notebook"]: one["state"] for one in listed}
    assert states == {str(book): "empty", str(work / "other.ipynb"): "whole"}


def test_a_link_that_leads_nowhere_is_told(stale: Path, rewind: Rewind) -> None:
    """The disk that the notebook lies on is not there: what is elsewhere is brought back, and it
    says why the notebook does not open."""
    stale.unlink(missing_ok=True)
    stale.symlink_to("/nowhere/disk/analysis.ipynb")
    told = "analysis.ipynb cannot be read: it is a link to /nowhere/disk/analysis.ipynb, which is"
    ended = rewind("recover", stale)
    assert ended.status == 0
    assert f"{told} not there." in ended.out
    assert stale.with_name("analysis.recovered.ipynb").exists() and stale.is_symlink()
    other = stale.with_name("other.ipynb")
    other.symlink_to("gone.ipynb")
    refused = rewind("recover", other)
    assert refused.status == 3
    assert "other.ipynb cannot be read: it is a link to gone.ipynb, which is not there." in (
        refused.err
    )
