"""Large notebooks that are only listed are judged by another process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_rewind.faces.server import peeking
from jupyter_rewind.faces.server.peeking import SMALL_BYTES, looks_whole


@pytest.fixture(scope="module")
def large() -> bytes:
    cell = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "x" * SMALL_BYTES}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}).encode()


@pytest.mark.parametrize(
    ("damage", "is_whole"),
    [
        (lambda raw: raw, True),
        (lambda raw: raw.replace(b'"cells"', b'"sells"'), False),
        (lambda raw: raw[: len(raw) // 2] + b'"' + raw[len(raw) // 2 :], False),
        (lambda raw: raw[: len(raw) // 2] + b"\0" * 9 + raw[len(raw) // 2 :], False),
        (lambda raw: raw[:-1], False),
        (lambda raw: b"[" + raw + b"]", False),
        (lambda raw: raw + b"\0", False),
    ],
    ids=["whole", "no cells", "no JSON", "NULs inside", "cut short", "a list", "NULs behind"],
)
def test_a_large_notebook_looks_whole_only_where_it_is(
    large: bytes, tmp_path: Path, damage: Callable[[bytes], bytes], is_whole: bool
) -> None:
    file = tmp_path / "large.ipynb"
    raw = damage(large)
    file.write_bytes(raw)
    assert looks_whole(str(file), len(raw)) is is_whole


def test_a_notebook_too_large_to_parse_is_looked_at_from_both_ends(
    large: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peeking, "LARGEST_BYTES", SMALL_BYTES)
    file = tmp_path / "large.ipynb"
    file.write_bytes(large.replace(b'"cells"', b'"sells"'))
    assert looks_whole(str(file), len(large))
    file.write_bytes(b"\0" * len(large))
    assert not looks_whole(str(file), len(large))


def test_a_small_notebook_is_judged_whole(tmp_path: Path) -> None:
    assert not looks_whole(str(tmp_path / "never looked at.ipynb"), SMALL_BYTES)


def test_where_no_process_can_be_started_nothing_is_claimed(
    large: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "large.ipynb"
    file.write_bytes(large)
    monkeypatch.setattr(peeking.sys, "executable", str(tmp_path / "no python"))
    assert looks_whole(str(file), len(large))
    monkeypatch.setattr(peeking.sys, "executable", "")
    assert looks_whole(str(file), len(large))
