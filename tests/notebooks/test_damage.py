"""After damage: what is saved next is whole again, and what is gone is not called empty."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.notebooks.entries import CHECKPOINT, content_key, history_key
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.upkeep import salvage, verify
from tests.notebooks.support import make_notebook, open_store

PATH = "/home/a/analysis.ipynb"
NOISE = base64.b64encode(clock.SystemClock().token(90_000)).decode()


def keep(histories: Histories, *sources: str) -> Checkpoint:
    return histories.record(PATH, make_notebook(*sources), reason=Reason.SAVE).checkpoint


def flip(segment: Path, offset: int) -> None:
    with segment.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))


@pytest.fixture
def damaged(tmp_path: Path, fake_clock: clock.FakeClock) -> Histories:
    """A store whose newest checkpoint has a garbled cell."""
    segments = tmp_path / "rewind" / "store" / "segments"
    with open_store(tmp_path / "rewind") as opened:
        histories = Histories(opened)
        keep(histories, "a = 1", "b = 2")
        [segment] = segments.iterdir()
        before = segment.read_bytes()
        keep(histories, "a = 1", NOISE)
        after = segment.read_bytes()
    start = next(at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    flip(segment, start + 30_000)
    return Histories(open_store(tmp_path / "rewind"))


@pytest.mark.parametrize("is_known", [False, True])
def test_the_next_state_is_kept_although_the_head_is_damaged(
    damaged: Histories, is_known: bool
) -> None:
    """Also when the damage has been found, and when the damaged cell is in the new state."""
    if is_known:
        assert not verify(damaged.repository, read_data=True).ok
    other = keep(damaged, "a = 1", "c = 3")
    assert damaged.read(other) == make_notebook("a = 1", "c = 3")
    same = keep(damaged, "a = 2", NOISE)
    if is_known:
        assert damaged.read(same) == make_notebook("a = 2", NOISE)


def test_saving_what_is_known_to_be_damaged_makes_it_whole(damaged: Histories) -> None:
    """The user still has the notebook open: saving it again brings the checkpoint back."""
    head = damaged.checkpoints(PATH)[-1]
    assert not verify(damaged.repository, read_data=True).ok
    made = keep(damaged, "a = 1", NOISE)
    assert damaged.read(made) == make_notebook("a = 1", NOISE)
    assert damaged.read(head) == make_notebook("a = 1", NOISE)


def test_a_lost_commit_is_not_called_an_absence(
    tmp_path: Path, fake_clock: clock.FakeClock
) -> None:
    """The only commit of a notebook is garbled: not found, and the damage is told."""
    with open_store(tmp_path / "rewind") as opened:
        histories = Histories(opened)
        keep(histories, "a = 1")
        [segment] = (tmp_path / "rewind" / "store" / "segments").iterdir()
        end = opened.writer.end
        histories.record("/home/a/other.ipynb", make_notebook("x"), reason=Reason.SAVE)
        histories.record("/home/a/third.ipynb", make_notebook("y"), reason=Reason.SAVE)
    flip(segment, end - 100)
    (tmp_path / "rewind" / "store" / "index-1.sqlite").unlink()
    with open_store(tmp_path / "rewind") as opened:
        histories = Histories(opened)
        with pytest.raises((NotFound, Integrity), match="damaged"):
            histories.checkpoints(PATH)
        assert len(histories.checkpoints("/home/a/other.ipynb")) == 1


def test_a_record_of_a_later_version_costs_itself_alone(
    histories: Histories, caplog: pytest.LogCaptureFixture
) -> None:
    """A reason that this version does not know."""
    kept = keep(histories, "a = 1")
    with histories.repository.transaction() as tx:
        strange = tx.add(
            CHECKPOINT,
            keys=[history_key(kept.history), content_key(bytes(16))],
            body={"r": "premonition", "n": [1, 1, 0, 0], "s": 1, "a": "", "o": "", "w": "AA"},
            roots=[kept.manifest],
        )
    with caplog.at_level(logging.WARNING):
        assert [one.id for one in histories.checkpoints(PATH)] == [kept.id]
    assert strange.id in caplog.text
    with pytest.raises(Integrity, match=strange.id):
        histories.get(None, strange.id)
    assert not histories.record(PATH, make_notebook("a = 1"), reason=Reason.SAVE).created


def test_what_is_shared_is_lost_to_all_that_share_it(damaged: Histories) -> None:
    """Nobody is told that other checkpoints are whole: they may hold the same cell."""
    other = keep(damaged, "b = 2", NOISE)
    with pytest.raises(Integrity) as caught:
        damaged.read(other)
    assert "not affected" not in caught.value.hint
    assert "share" in caught.value.hint


def test_what_a_salvage_gave_up_is_marked_until_it_is_saved_again(
    damaged: Histories, tmp_path: Path
) -> None:
    """A list says which of its checkpoints cannot be brought back; the same content heals them."""
    keep(damaged, "a = 1", "c = 3")
    assert [one.readable for one in damaged.checkpoints(PATH)] == [True, True, True]
    damaged.repository.close()
    place = tmp_path / "rewind"
    salvage(place / "store", place / "keys")
    with open_store(place) as opened:
        histories = Histories(opened)
        found = histories.checkpoints(PATH)
        assert [one.readable for one in found] == [True, False, True]
        for one in found:
            if one.readable:
                histories.read(one)
            else:
                with pytest.raises(Integrity):
                    histories.read(one)
        assert histories.resolve(PATH, "head~1") == found[0], "what is lost does not count"
        assert histories.resolve(PATH, found[1].id) == found[1], "it is listed and found still"
        with pytest.raises(NotFound):
            histories.resolve(PATH, "head~2")
        keep(histories, "a = 2", NOISE)
        assert all(one.readable for one in histories.checkpoints(PATH))
        assert histories.read(found[1]) == make_notebook("a = 1", NOISE)


@pytest.mark.parametrize("how", ["garbled", "zeroed", "zeroed at the end", "cut", "gone"])
def test_a_list_says_so_where_a_part_of_the_store_does_not_read(
    tmp_path: Path, fake_clock: clock.FakeClock, how: str
) -> None:
    """The index that told what stood there is gone, too, as after a restart of the machine."""
    segments, other = tmp_path / "rewind" / "store" / "segments", "/home/a/other.ipynb"
    for path in (PATH, other):
        with open_store(tmp_path / "rewind") as opened:
            histories = Histories(opened)
            for number in range(3):
                histories.record(path, make_notebook(f"a = {number}"), reason=Reason.SAVE)
            histories.delete(path)
            assert (len(histories.deleted()), histories.incomplete()) == (1 + (path == other), ())
            segment = segments / opened.writer.segment
    size = segment.stat().st_size
    with segment.open("r+b") as file:
        if how in ("cut", "zeroed at the end"):
            file.truncate(size // 2)
        if how == "zeroed at the end":
            file.truncate(size)
        if how == "zeroed":
            file.write(bytes(size))
        if how == "garbled":
            file.seek(size // 2)
            file.write(b"garbage" * 9)
    if how == "gone":
        segment.unlink()
    for path in segments.parent.glob("index*"):
        path.unlink()
    with open_store(tmp_path / "rewind") as opened:
        found = Histories(opened)
        assert PATH in [each.path for each in found.deleted()]
        [words] = found.incomplete()
        assert "may be missing" in words and "verify" in words
        assert found.listing(PATH).incomplete == found.newest(PATH, 1).incomplete == (words,)
    salvage(tmp_path / "rewind" / "store", tmp_path / "rewind" / "keys")
    with open_store(tmp_path / "rewind") as opened:
        assert Histories(opened).incomplete() == (), "what could be saved is, and the rest named"


def test_a_list_is_whole_where_the_index_still_tells_what_is_gone(damaged: Histories) -> None:
    """What cannot be read of it is said of each checkpoint."""
    [segment] = [
        each for each in damaged.repository.layout.segments.iterdir() if each.stat().st_size
    ]
    segment.unlink()
    listing = damaged.listing(PATH)
    assert [one.readable for one in listing.checkpoints] == [False, False]
    assert listing.incomplete == ()
