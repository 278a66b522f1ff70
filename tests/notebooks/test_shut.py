"""What stands where this user may not read: told as such, and kept anew where it is saved again."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Denied
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_notebook, open_store
from tests.support.stores import refuse_to_open

PATH = "/home/a/analysis.ipynb"
LONG = "# " + "a long cell that nobody changes; " * 90
FIRST, SECOND = make_notebook("a = 1", LONG), make_notebook("a = 2", LONG)


def keep(histories: Histories, raw: bytes) -> Checkpoint:
    return histories.record(PATH, raw, reason=Reason.SAVE).checkpoint


@pytest.fixture
def shut(tmp_path: Path, fake_clock: clock.FakeClock, monkeypatch: pytest.MonkeyPatch) -> Histories:
    """A store whose first checkpoint may not be read, though the index tells of it: root made it,
    with an older version."""
    with open_store(tmp_path / "rewind") as opened:
        keep(Histories(opened), FIRST)
    [segment] = (tmp_path / "rewind" / "store" / "segments").iterdir()
    segment.chmod(0)
    refuse_to_open(segment, monkeypatch)
    return Histories(open_store(tmp_path / "rewind"))


def test_what_is_saved_names_nothing_that_may_not_be_read(shut: Histories) -> None:
    """What the two states share is stored once more."""
    with pytest.raises(Denied):
        shut.read(shut.checkpoints(PATH)[0])
    second = keep(shut, SECOND)
    shut.repository.forget_read()
    assert shut.read(second) == SECOND


def test_a_state_that_only_stands_there_is_kept_anew(shut: Histories) -> None:
    """That it is the newest of the history is no ground to keep nothing."""
    again = keep(shut, FIRST)
    assert shut.read(again) == FIRST
    assert keep(shut, FIRST).id == again.id


def test_a_list_says_what_may_not_be_read_and_that_more_may_be_missing(shut: Histories) -> None:
    keep(shut, SECOND)
    listing = shut.listing(PATH)
    assert [one.readable for one in listing.checkpoints] == [False, True]
    assert shut.newest(PATH, 1).incomplete == listing.incomplete == shut.incomplete()
    assert "chmod u+rw" in "".join(listing.incomplete)
