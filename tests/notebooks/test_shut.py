"""What stands where this user may not read: told as such, and kept anew where it is saved again."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Denied
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks.exchange import export_folder
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.lastgood import find_last_good
from jupyter_rewind.notebooks.search import search
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


@pytest.fixture
def chained(
    tmp_path: Path, fake_clock: clock.FakeClock, monkeypatch: pytest.MonkeyPatch
) -> Histories:
    """The first of three checkpoints may not be read any more, from which the second is told; the
    third came afterwards, and stands alone."""
    segments: list[Path] = []
    for raw in (FIRST, SECOND):
        with open_store(tmp_path / "rewind") as opened:
            keep(Histories(opened), raw)
        segments += (tmp_path / "rewind" / "store" / "segments").iterdir()
        fake_clock.advance(60)
    first = segments[0]
    first.chmod(0)
    refuse_to_open(first, monkeypatch)
    histories = Histories(open_store(tmp_path / "rewind"))
    keep(histories, make_notebook("all is new", "and reads"))
    return histories


def test_what_is_told_from_a_shut_segment_is_missing_and_the_rest_is_listed(
    chained: Histories,
) -> None:
    listing = chained.listing(PATH)
    assert [one.readable for one in listing.checkpoints] == [False, False, True]
    assert listing.incomplete


def test_a_search_goes_through_the_states_that_read(chained: Histories) -> None:
    """Each cell that does not read is named, with a checkpoint that has it."""
    found = search(chained, PATH, "all is new")
    assert [hit.text for hit in found.hits] == ["all is new"]
    shut = {one.id for one in chained.checkpoints(PATH)[:2]}
    assert found.problems
    for problem in found.problems:
        assert problem.count("Checkpoint") == 1
        assert any(one in problem for one in shut), problem


def test_an_export_names_each_checkpoint_that_it_could_not_write(
    chained: Histories, tmp_path: Path
) -> None:
    exported = export_folder(chained, PATH, tmp_path / "exported")
    assert exported.count == 1
    for one, problem in zip(chained.checkpoints(PATH)[:2], exported.problems, strict=True):
        assert one.id in problem


def test_the_last_good_state_is_the_newest_that_reads(
    chained: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = chained.checkpoints(PATH)[2]
    assert find_last_good(chained, PATH) == third
    newest_first = [*reversed(chained.checkpoints(PATH))]
    monkeypatch.setattr(Histories, "checkpoints", lambda *_, **__: [newest_first[1], third])
    assert find_last_good(chained, PATH) == third


def test_a_folder_of_segments_that_is_shut_is_told_with_what_opens_it(
    tmp_path: Path, fake_clock: clock.FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path / "rewind") as opened:
        keep(Histories(opened), FIRST)
    segments = tmp_path / "rewind" / "store" / "segments"
    exists = Path.exists

    def refuse(path: Path, **options: bool) -> bool:
        if path.parent == segments:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path, **options)

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(Denied, match="chmod u.rwx") as caught:
        open_store(tmp_path / "rewind")
    assert ".arriving" not in str(caught.value)
