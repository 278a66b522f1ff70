"""States that another key made are shown before anybody trusts them, and nothing of them runs."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.errors import Format
from jupyter_rewind.kernels.comparison import compare, report
from jupyter_rewind.kernels.placeholders import FilePlaceholder, Placeholder
from jupyter_rewind.kernels.records import RootRecord, encode_pod, encode_state
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("os.system", ["touch {0}"]),
        ("Placeholder.__init__.__builtins__.__getitem__", ["open", "{0}", "w"]),
    ],
)
def test_looking_at_a_foreign_state_runs_nothing(
    cells: Cells, tmp_path: Path, name: str, given: list[str]
) -> None:
    """What it holds can be read in a list; no name in it leads to code."""
    mark = tmp_path / "ran"
    first, *more = (text.format(mark) for text in given)
    words = [_said(Placeholder.__module__), _said(name), b"\x93", _said(first), b"\x85R"]
    words += [*map(_said, more), b"\x86R"] if more else []
    stream = b"\x80\x05" + b"".join(words) + b"0}."
    mine = cells.run("a = 1")
    state = replace(mine, state=_state_that_tells(cells, stream), trusted=False)
    with contextlib.suppress(Format):
        report(cells.store, state)
    with contextlib.suppress(Format):
        compare(cells.store, mine, state)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["Placeholder", "FilePlaceholder"])
def test_looking_at_a_foreign_state_changes_nothing_here(cells: Cells, name: str) -> None:
    """The stream sets an attribute of what it finds under the name."""
    words = [_said(Placeholder.__module__), _said(name), b"\x93N}", _said("marked"), b"K\x01s\x86b"]
    mine = cells.run("a = 1")
    stream = b"\x80\x05" + b"".join(words) + b"0}."
    with contextlib.suppress(Format):
        report(cells.store, replace(mine, state=_state_that_tells(cells, stream), trusted=False))
    assert not hasattr(Placeholder, "marked")
    assert not hasattr(FilePlaceholder, "marked")


def _said(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def _state_that_tells(cells: Cells, stream: bytes) -> Digest:
    """A state whose small values are what the stream makes."""
    with cells.store.block() as block:
        piece = block.put_chunk(stream)
        root = RootRecord("a:0", "dict", Fidelity.EXACT, "", "")
        pod = block.put_node(*encode_pod([root], [piece], len(stream), [], [], ["v:x"]))
        state = block.put_node(encode_state(), (pod,))
        block.add("test", keys=["test"], body={}, roots=(state,))
    return state
