"""What other programs change is noticed and kept, and only what changed is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Full, InvalidInput
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks import watching
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.watching import Watcher
from tests.notebooks.support import make_notebook


@pytest.fixture
def watcher(histories: Histories) -> Watcher:
    return Watcher(histories, max_bytes=1 << 20)


def write(path: Path, *cells: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(make_notebook(*cells))
    return path


def test_an_external_change_makes_a_checkpoint(
    histories: Histories, watcher: Watcher, folder: Path
) -> None:
    path = write(folder / "a.ipynb", "1")
    assert len(watcher.scan([folder]).recorded) == 1
    write(path, "2, written by git")
    [made] = watcher.scan([folder]).recorded
    assert (made.checkpoint.path, made.checkpoint.reason) == (str(path), Reason.EXTERNAL_CHANGE)
    assert histories.read(made.checkpoint) == path.read_bytes()


def test_a_notebook_written_anew_in_another_formatting_is_kept_as_it_is(
    histories: Histories, watcher: Watcher, folder: Path
) -> None:
    """A formatter of JSON says nothing new, but its bytes are what must come back."""
    path = write(folder / "a.ipynb", "1")
    watcher.scan([folder])
    path.write_bytes(json.dumps(json.loads(path.read_bytes())).encode())
    [made] = watcher.scan([folder]).recorded
    assert histories.read(made.checkpoint) == path.read_bytes()


def test_a_look_that_is_stopped_keeps_what_it_came_to(watcher: Watcher, folder: Path) -> None:
    """Ctrl-C in the first look at thousands of notebooks does not wait for the last of them."""
    for name in "abc":
        write(folder / f"{name}.ipynb", name)
    answers = iter([False, True])
    seen = watcher.scan([folder], stop=lambda: next(answers))
    assert [Path(one.checkpoint.path).name for one in seen.recorded] == ["a.ipynb"]
    assert seen.gone == []
    assert len(watcher.scan([folder]).recorded) == 2


def test_what_did_not_change_is_not_read_again(
    watcher: Watcher,
    folder: Path,
    fake_clock: clock.FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(folder / "a.ipynb", "1")
    fake_clock.time_ns = (folder / "a.ipynb").stat().st_ctime_ns + 60_000_000_000
    watcher.scan([folder])

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("was read")

    monkeypatch.setattr(watching, "checkpoint_document", refuse)
    assert watcher.scan([folder]).recorded == []


def test_a_change_within_the_same_tick_of_the_clock_is_not_missed(
    histories: Histories, watcher: Watcher, folder: Path
) -> None:
    """The same size and the same time of change: some file systems count in seconds."""
    path = write(folder / "a.ipynb", "1")
    moment = path.stat().st_mtime_ns
    watcher.scan([folder])
    write(path, "2")
    os.utime(path, ns=(moment, moment))
    assert len(watcher.scan([folder]).recorded) == 1


def test_folders_are_searched_to_the_bottom_but_not_in_hidden_places(
    watcher: Watcher, folder: Path
) -> None:
    write(folder / "x" / "y" / "deep.ipynb", "1")
    write(folder / ".ipynb_checkpoints" / "a-checkpoint.ipynb", "2")
    write(folder / ".git" / "b.ipynb", "3")
    (folder / "notes.txt").write_text("no notebook")
    found = watcher.scan([folder]).recorded
    assert [Path(one.checkpoint.path).name for one in found] == ["deep.ipynb"]


def test_linked_folders_are_searched_too_and_no_link_leads_in_circles(
    watcher: Watcher, folder: Path, tmp_path: Path
) -> None:
    """A notebook behind a link is kept under its own name, once."""
    beyond = tmp_path / "beyond"
    write(beyond / "far.ipynb", "1")
    (folder / "link").symlink_to(beyond)
    (folder / "again").symlink_to(beyond)
    (beyond / "round").symlink_to(folder)
    found = [each.checkpoint.path for each in watcher.scan([folder]).recorded]
    assert found == [str(beyond / "far.ipynb")]
    assert watcher.scan([folder]).recorded == []


def test_a_move_between_two_looks_is_followed(
    histories: Histories, watcher: Watcher, folder: Path
) -> None:
    old = write(folder / "a.ipynb", "x = 1")
    watcher.scan([folder])
    history = histories.find(str(old))
    new = folder / "sub" / "b.ipynb"
    new.parent.mkdir()
    old.rename(new)
    seen = watcher.scan([folder])
    assert seen.gone == [str(old)]
    assert histories.find(str(new)) == history
    assert histories.find(str(old)) is None


def test_a_whole_folder_moved_between_two_looks_is_followed(
    histories: Histories, watcher: Watcher, folder: Path
) -> None:
    for number in range(3):
        write(folder / "old" / f"{number}.ipynb", f"x = {number}")
    watcher.scan([folder])
    before = [histories.find(str(folder / "old" / f"{n}.ipynb")) for n in range(3)]
    (folder / "old").rename(folder / "new")
    watcher.scan([folder])
    assert [histories.find(str(folder / "new" / f"{n}.ipynb")) for n in range(3)] == before


def test_one_file_that_cannot_be_kept_costs_itself_alone(watcher: Watcher, folder: Path) -> None:
    large = write(folder / "a.ipynb", "x" * (2 << 20))
    small = write(folder / "b.ipynb", "1")
    seen = watcher.scan([folder])
    assert [one.checkpoint.path for one in seen.recorded] == [str(small)]
    assert list(seen.problems) == [str(large)]
    assert isinstance(seen.problems[str(large)], InvalidInput)
    assert watcher.scan([folder]).problems == {}


def test_a_file_that_was_never_there_is_nothing(watcher: Watcher, folder: Path) -> None:
    seen = watcher.look(folder / "none.ipynb")
    assert (seen.recorded, seen.gone, seen.problems) == ([], [], {})


def test_the_stock_checkpoint_is_taken_at_first_sight(
    histories: Histories, watcher: Watcher, folder: Path
) -> None:
    path = write(folder / "a.ipynb", "now")
    write(folder / ".ipynb_checkpoints" / "a-checkpoint.ipynb", "before")
    watcher.scan([folder])
    states = [histories.read(one) for one in histories.checkpoints(str(path))]
    assert states == [make_notebook("before"), make_notebook("now")]


def test_what_a_full_store_did_not_take_is_kept_as_soon_as_it_has_room(
    watcher: Watcher, folder: Path, fake_clock: clock.FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody touches the file meanwhile; each look says that it is not kept yet."""
    path = write(folder / "a.ipynb", "1")
    fake_clock.time_ns = path.stat().st_ctime_ns + 60_000_000_000

    def refuse(*_: object, **__: object) -> None:
        raise Full("There is no room.")

    with monkeypatch.context() as patch:
        patch.setattr(watching, "checkpoint_document", refuse)
        for _ in range(2):
            assert list(watcher.scan([folder]).problems) == [str(path)]
    assert len(watcher.scan([folder]).recorded) == 1


def test_what_windows_wrote_in_utf_16_is_told_and_kept(
    watcher: Watcher, folder: Path, histories: Histories
) -> None:
    """Jupyter does not open it, and nothing of the work in it is lost."""
    path = write(folder / "a.ipynb", "1")
    watcher.scan([folder])
    raw = make_notebook("new work").decode().encode("utf-16")
    path.write_bytes(raw)
    seen = watcher.scan([folder])
    assert [one.is_whole for one in seen.damaged.values()] == [True]
    assert histories.read(seen.recorded[0].checkpoint) == raw
