"""Commands about the store itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jupyter_rewind.settings import Settings
from jupyter_rewind.workspace import Workspace
from tests.faces.cli.conftest import FIRST, SECOND, THIRD, Rewind, cell, notebook_bytes


@pytest.fixture
def store(home: Path, book: Path) -> Path:
    """A store with three checkpoints."""
    return home / "data" / "rewind"


def spoil(store: Path) -> None:
    """Some bytes in the middle of every segment are gone."""
    for segment in (store / "segments").iterdir():
        content = bytearray(segment.read_bytes())
        middle = len(content.rstrip(b"\0")) // 2
        content[middle : middle + 40] = b"\xaa" * 40
        segment.write_bytes(content)


def test_verify_of_a_whole_store(store: Path, rewind: Rewind) -> None:
    """Nothing to complain about: status 0."""
    for words in (["verify"], ["verify", "--read-data"]):
        ended = rewind(*words)
        assert (ended.status, ended.err) == (0, "")
        assert ended.out.startswith("The store is whole: ")
        assert ("not read" in ended.out) == (len(words) == 1)


def test_verify_finds_damage(store: Path, rewind: Rewind) -> None:
    """Damage ends with 5, names its place and the way out."""
    spoil(store)
    ended = rewind("verify", "--read-data")
    assert ended.status == 5
    assert ended.rows
    assert "jupyter rewind salvage" in ended.err
    data = rewind("verify", "--read-data", "--json").data
    assert data["ok"] is False
    assert data["damages"]


def test_salvage_keeps_what_reads(store: Path, book: Path, rewind: Rewind) -> None:
    """After a salvage, verify tells only of what was given up; undamaged states are the very
    bytes."""
    spoil(store)
    assert rewind("salvage").status in (0, 5)
    ended = rewind("verify", "--read-data")
    assert ended.status == 5 and "an earlier salvage kept all else" in ended.out
    found = [rewind("show", book, f"head~{n}", "--raw").out.encode() for n in range(3)]
    assert {FIRST, SECOND, THIRD} & set(found)


def test_salvage_of_a_whole_store_changes_nothing(store: Path, rewind: Rewind) -> None:
    """There is nothing to mend, and it says so."""
    ended = rewind("salvage", "--json")
    assert (ended.status, ended.data["changed"], ended.data["affected"]) == (0, False, [])


def test_salvage_without_the_key(home: Path, store: Path, book: Path, rewind: Rewind) -> None:
    """A store whose key is lost is taken into a new one, on the user's word."""
    shutil.rmtree(home / "config" / "rewind-keys")
    ended = rewind("history", book)
    assert ended.status == 6
    assert "salvage --trust-foreign" in ended.err
    assert rewind("salvage", "--trust-foreign").status == 2
    new = home / "new"
    assert rewind("salvage", "--trust-foreign", "--into", new).status == 0
    assert rewind("show", book, "head", "--raw", "--store", new).out.encode() == THIRD


def test_expire_is_a_dry_run(store: Path, book: Path, rewind: Rewind) -> None:
    """Without --yes it only tells."""
    policy = ["--set", "retention.keep_last=1"]
    for key in ("hourly", "daily", "weekly"):
        policy += ["--set", f"retention.{key}=0"]
    assert rewind("expire").rows == []
    for words in ([], ["--dry-run"], ["--dry-run", "--yes"]):
        ended = rewind("expire", *policy, *words)
        assert ended.status == 0
        assert ended.rows == [[str(book), "2", "1"]]
        assert "Nothing was changed" in ended.err
    assert len(rewind("history", book).rows) == 3
    rewind("label", book, "head~2", "first of all")
    ended = rewind("expire", *policy, "--yes")
    assert ended.rows == [[str(book), "1", "2"]]
    assert len(rewind("history", book).rows) == 2
    assert rewind("show", book, "first of all", "--raw").out.encode() == FIRST
    assert rewind("expire", *policy, "--no-dry-run").rows == []


def test_collect_frees_what_expired(store: Path, work: Path, rewind: Rewind) -> None:
    """The disk gets its room back, and what stays is whole."""
    path = work / "big.ipynb"
    for number in range(3):
        noise = "".join(f"{(number + 1) * each:x}" for each in range(100_000, 160_000))
        path.write_bytes(notebook_bytes(cell("a", noise)))
        assert rewind("checkpoint", path).status == 0
    policy = [f"--set=retention.{key}=0" for key in ("hourly", "daily", "weekly")]
    rewind("expire", "--yes", "--set", "retention.keep_last=1", *policy)
    would = rewind("collect", "--dry-run", "--json").data
    did = rewind("collect", "--json").data
    assert would["freed_bytes"] > 100_000
    assert did["freed_bytes"] == pytest.approx(would["freed_bytes"], rel=0.01)
    assert rewind("verify", "--read-data").status == 0
    assert rewind("show", path, "--raw").out.encode() == path.read_bytes()


def test_stats_tell_sizes_by_notebook(store: Path, book: Path, rewind: Rewind) -> None:
    """Which notebook takes how much."""
    ended = rewind("stats")
    assert ended.status == 0
    [row] = ended.rows
    assert row[:3] == [str(book), "3", str(len(FIRST) + len(SECOND) + len(THIRD))]
    assert "3 checkpoints of 1 notebook" in ended.err


def test_a_mended_config_is_not_told_as_nothing_kept(
    store: Path, book: Path, rewind: Rewind
) -> None:
    """Only the config was gone: the words say so, and every checkpoint is there."""
    (store / "config").unlink()
    ended = rewind("salvage")
    assert ended.status == 0
    assert "config was made again" in ended.out
    assert "0 records" not in ended.out
    assert len(rewind("history", book).rows) == 3


def test_a_salvage_that_saved_nothing_does_not_call_the_store_whole(
    store: Path, book: Path, rewind: Rewind
) -> None:
    """All content is gone: that is what the first sentence says."""
    shutil.rmtree(store / "segments")
    (store / "segments").mkdir()
    ended = rewind("salvage")
    assert ended.status == 5
    assert "lost content" in ended.out.splitlines()[0]
    assert "is whole" not in ended.out


def test_a_loss_that_nobody_can_name_is_no_whole_store(
    store: Path, book: Path, rewind: Rewind
) -> None:
    """After a reboot nothing but the segments tells what they held. One is zeroed: its checkpoints
    cannot be named, and the salvage says so, with status 5."""
    for path in store.glob("index*"):
        path.unlink()
    last = max((store / "segments").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    last.write_bytes(bytes(last.stat().st_size))
    assert rewind("verify").status == 5
    ended = rewind("salvage")
    assert ended.status == 5
    assert "is whole" not in ended.out
    assert last.name in ended.err and "without a name" in ended.err
    assert rewind("salvage").status == 0


def test_what_lost_its_place_stands_among_the_deleted(
    store: Path, home: Path, rewind: Rewind
) -> None:
    """The segment that told where a notebook lies is damaged, and nothing else knows it. What
    others hold of its history comes back by its id, and stays where it was brought."""
    path = home / "work" / "moved.ipynb"
    path.write_text("first words, which are no notebook")
    before = set((store / "segments").iterdir())
    assert rewind("checkpoint", path).status == 0
    [told] = set((store / "segments").iterdir()) - before
    path.write_text("other words")
    assert rewind("checkpoint", path).status == 0
    for index in store.glob("index*"):
        index.unlink()
    told.write_bytes(bytes(told.stat().st_size))
    assert rewind("history", path).status == 3
    ended = rewind("salvage", "--json")
    assert ended.status == 5
    [row] = rewind("deleted", "--json").data["deleted"]
    assert ended.data["homeless"] == [row["id"]]
    refused = rewind("restore", row["id"], "head")
    assert refused.status == 7
    assert f"undelete {row['id']} --output" in refused.err
    aside = home / "work" / "aside.ipynb"
    assert rewind("restore", row["id"], "head", "--output", aside).status == 0
    assert aside.read_text() == "other words"
    assert rewind("undelete", row["id"]).status == 2
    there = home / "work" / "there.ipynb"
    assert rewind("undelete", row["id"], "--output", there).status == 0
    assert there.read_text() == "other words"
    path.write_text("words that are new")
    assert rewind("checkpoint", path).status == 0
    assert len(rewind("history", there).rows) == len(rewind("history", path).rows) == 1
    assert rewind("salvage").status == 0


def test_nothing_else_is_whole_where_nothing_else_is(
    store: Path, book: Path, rewind: Rewind
) -> None:
    """With the segments gone, verify praises no rest, and the history says what it lists."""
    away = store.with_name("away")
    (store / "segments").rename(away)
    (store / "segments").mkdir()
    ended = rewind("verify")
    assert ended.status == 5
    assert "is whole" not in ended.out + ended.err
    assert "Nothing else is left" in ended.err
    ended = rewind("history", book)
    assert (ended.status, len(ended.rows)) == (5, 3)
    assert all("(lost)" in row[-1] for row in ended.rows)
    assert "files of the store are gone or cut short" in ended.err
    for segment in away.iterdir():
        segment.rename(store / "segments" / segment.name)
    ended = rewind("history", book)
    assert (ended.status, ended.err) == (0, "")
    assert not any("(lost)" in row[-1] for row in ended.rows)


def test_a_segment_that_is_gone_marks_only_what_stood_there(
    store: Path, book: Path, rewind: Rewind
) -> None:
    """What other files of the store hold is listed as ever."""
    before = set((store / "segments").iterdir())
    book.write_bytes(notebook_bytes(cell("new", "other = 'content'")))
    assert rewind("checkpoint", book).status == 0
    [segment] = set((store / "segments").iterdir()) - before
    segment.unlink()
    ended = rewind("history", book, "--json")
    assert ended.status == 5
    assert [each["readable"] for each in ended.data["checkpoints"]] == [False, True, True, True]


def test_a_segment_that_is_cut_short_marks_what_stood_behind_the_cut(
    store: Path, book: Path, rewind: Rewind
) -> None:
    """Though nobody has asked `verify` yet."""
    before = set((store / "segments").iterdir())
    with Workspace.open(Settings.load({"store.path": str(store)})) as workspace:
        for text in ("kept", "lost"):
            book.write_bytes(notebook_bytes(cell("new", f"{text} = {list(range(400))}")))
            workspace.checkpoint(str(book))
            [segment] = set((store / "segments").iterdir()) - before
    raw = segment.read_bytes()
    segment.write_bytes(raw[: len(raw.rstrip(b"\0")) - 300])
    ended = rewind("history", book, "--json")
    assert ended.status == 5
    told = [each["readable"] for each in ended.data["checkpoints"]]
    assert told[2:] == [True] * len(told[2:])
    assert not told[0]
    for each in ended.data["checkpoints"]:
        assert (rewind("show", book, each["id"]).status == 0) == each["readable"]
    assert len(ended.data["lost"]) == told.count(False)
    segment.write_bytes(raw)
    assert rewind("history", book).status == 0


def test_a_salvage_beside_a_writer_says_what_is_left_to_do(
    store: Path, book: Path, rewind: Rewind
) -> None:
    """A damaged segment that is being written is left alone: the store is not called in order, and
    salvaging it again, when the writer has ended, mends it."""
    settings = Settings.load({"store.path": str(store)})
    with Workspace.open(settings) as workspace:
        book.write_bytes(notebook_bytes(cell("new", "other = 'content'")))
        workspace.checkpoint(str(book))
        segment = store / "segments" / workspace.repository.writer.segment
        content = bytearray(segment.read_bytes())
        content[60:80] = b"\xaa" * 20
        segment.write_bytes(content)
        ended = rewind("salvage")
        assert ended.status == 5
        assert "is still damaged: 1 damaged segment stayed as it is" in ended.out
        assert "in order again" not in ended.out and "is whole" not in ended.out
        assert f"Segment {segment.name} was left alone" in ended.err
    ended = rewind("salvage")
    assert "in order again" in ended.out or "is whole" in ended.out, ended.out
    assert "left alone" not in ended.err


def test_a_quota_is_told_and_kept_by_hand(book: Path, rewind: Rewind) -> None:
    """stats, doctor and a dry run say how the store stands and what would go; --yes does it, the
    oldest first, and the newest stays."""
    flag = ["--set", "store.quota=1 kB"]
    told = rewind(*flag, "stats")
    assert "of the quota of 1.0 kB are used" in told.err
    assert rewind(*flag, "stats", "--json").data["quota"]["state"] == "over"
    findings = rewind(*flag, "doctor", "--json").data["findings"]
    [found] = [each for each in findings if each["name"] == "quota"]
    assert found["state"] == "problem" and "expire --yes" in found["mend"]
    before = rewind("history", book, "--json").data["checkpoints"]
    dry = rewind(*flag, "expire", "--json").data["quota"]
    assert dry["expired"] == len(before) - 1 and not dry["enough"]
    assert rewind("history", book, "--json").data["checkpoints"] == before
    done = rewind(*flag, "expire", "--yes")
    assert done.status == 0 and "oldest first" in done.err
    left = rewind("history", book, "--json").data["checkpoints"]
    assert [each["id"] for each in left] == [before[0]["id"]]
    assert rewind("stats", "--json").data["quota"] is None
    assert rewind("--set", "store.quota=plenty", "stats").status == 2
