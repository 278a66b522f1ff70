"""Real notebooks, and files of every format: all come back byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.cutting import cut
from jupyter_rewind.notebooks.documents import (
    checkpoint_document,
    restore_document,
    undelete_document,
)
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.upkeep import verify
from tests.notebooks.support import make_notebook
from tests.support.notebooks import CORPUS
from tests.support.stores import QuickFiles

FOLDERS = ("notebooks", "damaged-and-formats")


@pytest.fixture
def corpus() -> list[Path]:
    """Every file of the corpus."""
    found = [path for name in FOLDERS for path in (CORPUS / name).rglob("*") if path.is_file()]
    if not found:
        pytest.skip(f"the corpus of real notebooks is not at {CORPUS}")
    return sorted(found)


@pytest.mark.slow
def test_every_file_goes_through_save_list_restore_and_undelete_byte_for_byte(
    histories: Histories, corpus: list[Path], folder: Path
) -> None:
    """What cannot be a notebook is kept as a file, with words on why."""
    files = 0
    for number, origin in enumerate(corpus):
        raw = origin.read_bytes()
        place = folder / f"{number}-{origin.name}"
        place.write_bytes(raw)
        made = checkpoint_document(histories, place, reason=Reason.SAVE).checkpoint
        found = histories.checkpoints(str(place))
        assert [one.id for one in found] == [made.id]
        assert found[0].size_bytes == len(raw)
        assert histories.read(found[0]) == raw
        state = cut(raw)
        assert (found[0].kind == "file") == bool(state.problem) == (state.kind == "file")
        files += found[0].kind == "file"

        place.write_bytes(b"broken")
        done = restore_document(histories, place, made.id, files=QuickFiles())
        assert place.read_bytes() == raw
        assert done.kept is not None
        assert histories.read(done.kept) == b"broken"

        histories.delete(str(place))
        place.unlink()
        undelete_document(histories, made.history, files=QuickFiles())
        assert place.read_bytes() == raw, origin
        assert histories.find(str(place)) == made.history
    assert 0 < files < len(corpus) // 4
    assert verify(histories.repository, read_data=True).ok


@pytest.mark.slow
def test_all_of_it_in_one_history_is_told_apart(histories: Histories, corpus: list[Path]) -> None:
    """Each state after the other under one name, as if one notebook became all of them."""
    path = "/home/a/all.ipynb"
    states: list[bytes] = []
    for origin in corpus:
        raw = origin.read_bytes()
        if histories.record(path, raw, reason=Reason.SAVE).created:
            states.append(raw)
    histories.record(path, make_notebook("end"), reason=Reason.SAVE)
    found = histories.checkpoints(path)
    assert [histories.read(one) for one in found[:-1]] == states
