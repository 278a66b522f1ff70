"""What a checkpoint is, when one is made, and how it is found again."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, Integrity, InvalidInput, NotFound
from jupyter_rewind.model.checkpoint import Counts, Reason
from jupyter_rewind.notebooks.history import Histories
from tests.notebooks.support import make_cell, make_notebook, open_store

PATH = "/home/a/analysis.ipynb"


def keep(histories: Histories, *cells: str, path: str = PATH, reason: Reason = Reason.SAVE):
    return histories.record(path, make_notebook(*cells), reason=reason).checkpoint


def test_a_checkpoint_says_who_kept_what_when_and_why(
    histories: Histories, fake_clock: clock.FakeClock
) -> None:
    """A checkpoint records notebook, time, reason, author and the size of the file."""
    raw = make_notebook("1", "2")
    made = histories.record(PATH, raw, reason=Reason.SAVE, author="ada", note="first")
    kept = made.checkpoint
    assert made.created
    assert (kept.path, kept.time_ns, kept.reason) == (PATH, fake_clock.time_ns, Reason.SAVE)
    assert (kept.author, kept.note, kept.size_bytes) == ("ada", "first", len(raw))
    assert (kept.kind, kept.nbformat, kept.counts) == ("notebook", (4, 5), Counts(2, 2, 0, 0))
    assert histories.checkpoints(PATH) == [kept]
    assert histories.get(PATH, kept.id) == kept
    assert histories.head(PATH) == kept


def test_the_author_is_the_user_unless_another_is_named(histories: Histories) -> None:
    assert keep(histories, "1").author == clock.user()


def test_counts_tell_cells_added_changed_and_removed(histories: Histories) -> None:
    """Summary counts compare with the checkpoint before."""
    keep(histories, "1", "2", "3")
    changed = histories.record(
        PATH,
        make_notebook(make_cell("c0", "1"), make_cell("c1", "two"), make_cell("new", "4")),
        reason=Reason.SAVE,
    ).checkpoint
    assert changed.counts == Counts(cells=3, added=1, changed=1, removed=1)


def test_each_checkpoint_knows_the_one_before(histories: Histories) -> None:
    first = keep(histories, "1")
    second = keep(histories, "2")
    assert (first.parent, second.parent) == (None, first.id)
    assert [one.parent for one in histories.checkpoints(PATH)] == [None, first.id]


def test_equal_content_makes_no_second_checkpoint(histories: Histories) -> None:
    first = keep(histories, "1")
    again = histories.record(PATH, make_notebook("1"), reason=Reason.AUTOSAVE)
    assert not again.created
    assert again.checkpoint == first
    assert len(histories.checkpoints(PATH)) == 1


def test_going_back_to_older_content_is_a_new_checkpoint(histories: Histories) -> None:
    """Only the head is compared with: the history tells that the notebook was so again."""
    first, _, third = keep(histories, "1"), keep(histories, "2"), keep(histories, "1")
    assert third.id != first.id
    assert third.manifest == first.manifest


@pytest.mark.parametrize(
    "volatile", [{"execution": {"iopub.status.busy": "2026"}}, {"trusted": True}]
)
def test_volatile_metadata_decides_nothing(
    histories: Histories, volatile: dict[str, object]
) -> None:
    keep(histories, "1")
    raw = make_notebook(make_cell("c0", "1", **volatile))
    assert not histories.record(PATH, raw, reason=Reason.SAVE).created


def test_other_metadata_does_count(histories: Histories) -> None:
    keep(histories, "1")
    raw = make_notebook(make_cell("c0", "1", tags=["slow"]))
    assert histories.record(PATH, raw, reason=Reason.SAVE).created


def test_a_stronger_reason_for_equal_content_is_marked_on_the_checkpoint(
    histories: Histories,
) -> None:
    """An autosave that the user then saves by hand counts as saved by hand."""
    keep(histories, "1", reason=Reason.AUTOSAVE)
    made = histories.record(PATH, make_notebook("1"), reason=Reason.MANUAL)
    assert (made.created, made.checkpoint.reason) == (False, Reason.MANUAL)
    weaker = histories.record(PATH, make_notebook("1"), reason=Reason.AUTOSAVE)
    assert weaker.checkpoint.reason == Reason.MANUAL
    assert histories.checkpoints(PATH) == [made.checkpoint]


def test_reading_gives_the_very_bytes(histories: Histories) -> None:
    """Byte-exact: also odd spacing, no final newline, escapes, a byte order mark."""
    states = [
        b'{"cells":[{"cell_type":"code","id":"a","source":["\\u00e9"],"outputs":[],'
        b'"metadata":{},"execution_count":null}],"metadata":{},"nbformat":4,"nbformat_minor":5}',
        b'\xef\xbb\xbf{ "nbformat" : 4, "cells" : [ ], "nbformat_minor":5, "metadata":{} }',
        b"not a notebook at all",
        b"",
        b"\x00" * 4096,
        make_notebook("x" * 200_000, "ö" * 3000),
    ]
    made = [histories.record(PATH, raw, reason=Reason.SAVE).checkpoint for raw in states]
    assert [histories.read(one) for one in made] == states


def test_what_is_no_notebook_is_kept_as_a_file(histories: Histories) -> None:
    kept = histories.record(PATH, b"<<<<<<< HEAD\n", reason=Reason.SAVE).checkpoint
    assert (kept.kind, kept.nbformat, kept.counts) == ("file", None, Counts())


def test_a_notebook_of_format_3_is_cut_into_cells(histories: Histories) -> None:
    book = {
        "metadata": {"name": "old"},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [
            {"cells": [{"cell_type": "code", "input": "1", "language": "python", "outputs": []}]}
        ],
    }
    kept = histories.record(PATH, json.dumps(book).encode(), reason=Reason.SAVE).checkpoint
    assert (kept.kind, kept.nbformat, kept.counts.cells) == ("notebook", (3, 0), 1)
    assert histories.notebook(kept) == book


def test_text_files_have_histories_too(histories: Histories) -> None:
    path = "/home/a/helper.py"
    first = histories.record(path, b"x = 1\n", reason=Reason.SAVE).checkpoint
    second = histories.record(path, b"x = 2\n", reason=Reason.SAVE).checkpoint
    assert [histories.read(one) for one in (first, second)] == [b"x = 1\n", b"x = 2\n"]
    assert not histories.record(path, b"x = 2\n", reason=Reason.SAVE).created


@pytest.mark.parametrize(
    ("ref", "which"),
    [("head", 3), ("head~0", 3), ("head~3", 0), ("draft", 1), ("10 minutes ago", 2)],
)
def test_any_ref_names_a_checkpoint(
    histories: Histories, fake_clock: clock.FakeClock, ref: str, which: int
) -> None:
    made = []
    for number in range(4):
        made.append(keep(histories, str(number)))
        fake_clock.advance(600)
    histories.label(made[1], "draft")
    fake_clock.advance(-300)
    assert histories.resolve(PATH, ref).id == made[which].id


def test_an_id_and_its_unique_beginning_name_a_checkpoint(histories: Histories) -> None:
    first, second = keep(histories, "1"), keep(histories, "2")
    assert histories.resolve(PATH, first.id).id == first.id
    assert histories.resolve(PATH, second.id[:6]).id == second.id


def test_a_ref_that_names_nothing_is_not_found(histories: Histories) -> None:
    keep(histories, "1")
    for ref in ("head~1", "no such label", "feedfacefeedface"):
        with pytest.raises(NotFound, match=PATH):
            histories.resolve(PATH, ref)


def test_a_path_that_was_never_kept_is_not_found_rather_than_empty(histories: Histories) -> None:
    assert histories.find(PATH) is None
    assert histories.head(PATH) is None
    with pytest.raises(NotFound, match="no history"):
        histories.checkpoints(PATH)


def test_a_label_names_one_checkpoint_of_a_history(histories: Histories) -> None:
    first, second = keep(histories, "1"), keep(histories, "2")
    assert histories.label(first, "good").checkpoint.labels == ("good",)
    histories.label(second, "good")
    assert [one.labels for one in histories.checkpoints(PATH)] == [(), ("good",)]
    third = histories.record(
        PATH, make_notebook("3"), reason=Reason.MANUAL, label="good"
    ).checkpoint
    assert third.labels == ("good",)
    assert [one.labels for one in histories.checkpoints(PATH)] == [(), (), ("good",)]
    histories.unlabel(third, "good")
    assert histories.checkpoints(PATH)[-1].labels == ()


def test_a_label_for_equal_content_is_marked_on_the_head(histories: Histories) -> None:
    first = keep(histories, "1")
    made = histories.record(PATH, make_notebook("1"), reason=Reason.MANUAL, label="good")
    assert (made.created, made.checkpoint.id) == (False, first.id)
    assert histories.head(PATH).labels == ("good",)  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "head", "head~2", "2026-11-20", "10 minutes ago"])
def test_a_label_that_means_something_else_is_refused(histories: Histories, text: str) -> None:
    with pytest.raises(InvalidInput):
        histories.label(keep(histories, "1"), text)


def test_taking_a_label_that_is_not_there_is_not_found(histories: Histories) -> None:
    with pytest.raises(NotFound):
        histories.unlabel(keep(histories, "1"), "good")


def test_pins_come_and_go(histories: Histories) -> None:
    first = keep(histories, "1")
    assert histories.pin(first).pinned
    assert histories.head(PATH).pinned  # type: ignore[union-attr]
    assert not histories.unpin(first).pinned
    assert not histories.head(PATH).pinned  # type: ignore[union-attr]


def test_everything_is_there_after_the_store_is_opened_again(
    histories: Histories, tmp_path: Path
) -> None:
    first = keep(histories, "1")
    histories.label(first, "good")
    keep(histories, "2")
    before = histories.checkpoints(PATH)
    histories.repository.close()
    with open_store(tmp_path / "rewind") as opened:
        again = Histories(opened)
        assert again.checkpoints(PATH) == before
        assert again.read(before[0]) == make_notebook("1")


def test_two_processes_see_and_continue_one_history(
    histories: Histories, others: Histories
) -> None:
    first = keep(histories, "1")
    assert others.checkpoints(PATH) == [first]
    second = keep(others, "2")
    assert second.parent == first.id
    third = keep(histories, "3")
    assert [one.id for one in others.checkpoints(PATH)] == [first.id, second.id, third.id]
    assert not others.record(PATH, make_notebook("3"), reason=Reason.SAVE).created


def test_a_checkpoint_can_be_deleted_by_hand_but_not_one_with_a_label(
    histories: Histories,
) -> None:
    first, second = keep(histories, "1"), keep(histories, "2")
    histories.label(first, "good")
    with pytest.raises(Conflict):
        histories.delete_checkpoint(first)
    histories.delete_checkpoint(second)
    assert [one.id for one in histories.checkpoints(PATH)] == [first.id]
    with pytest.raises(NotFound):
        histories.get(PATH, second.id)
    histories.delete_checkpoint(first, force=True)
    assert histories.checkpoints(PATH) == []
    assert keep(histories, "3").parent is None


def test_marking_what_has_expired_is_not_found(histories: Histories, others: Histories) -> None:
    first = keep(histories, "1")
    keep(histories, "2")
    others.delete_checkpoint(others.get(PATH, first.id))
    with pytest.raises(NotFound, match="expired"):
        histories.pin(first)


def garble(segment: Path, offset: int) -> None:
    with open(segment, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))


def test_damage_of_one_checkpoint_costs_that_one_and_names_it(
    tmp_path: Path, fake_clock: clock.FakeClock
) -> None:
    """A garbled byte in one cell: its checkpoint is damaged, the others read, the list stands."""
    noise = base64.b64encode(clock.SystemClock().token(90_000)).decode()
    segments = tmp_path / "rewind" / "store" / "segments"
    with open_store(tmp_path / "rewind") as opened:
        histories = Histories(opened)
        first = keep(histories, "a = 1")
        [segment] = segments.iterdir()
        before = segment.read_bytes()
        second = keep(histories, noise)
        after = segment.read_bytes()
        third = keep(histories, "c = 3")
    start = next(at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    garble(segment, start + 30_000)
    with open_store(tmp_path / "rewind") as opened:
        histories = Histories(opened)
        assert [one.id for one in histories.checkpoints(PATH)] == [first.id, second.id, third.id]
        with pytest.raises(Integrity, match=f"(?s){second.id}.*{PATH}"):
            histories.read(second)
        assert histories.read(first) == make_notebook("a = 1")
        assert histories.read(third) == make_notebook("c = 3")
