"""Histories carried out and in: files, git commits, and what stock Jupyter left behind."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Format, InvalidInput, NotFound, RestoreRefused, RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.retention import Policy
from jupyter_rewind.notebooks import exchange
from jupyter_rewind.notebooks.documents import checkpoint_document
from jupyter_rewind.notebooks.expiry import expire
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.stock import take_stock_checkpoint
from tests.notebooks.support import make_notebook

PATH = "/home/a/a.ipynb"
OTHER = "/home/a/other.ipynb"
SECOND = 1_000_000_000


@pytest.fixture
def made(histories: Histories, fake_clock: clock.FakeClock) -> list[Checkpoint]:
    """Three checkpoints, an hour apart; the first has a label, the second a pin."""
    found = []
    for number, author in enumerate(("ada", "bob <b@x>", "eve")):
        raw = make_notebook(f"x = {number}")
        found.append(histories.record(PATH, raw, reason=Reason.SAVE, author=author).checkpoint)
        fake_clock.advance(3600)
    histories.label(found[0], "first")
    histories.pin(found[1])
    return found


def git(repository: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@x", *words],
        check=True,
        capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
    )
    return done.stdout.decode()


def test_an_export_is_one_file_a_checkpoint_and_an_index(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    done = exchange.export_folder(histories, PATH, folder / "out")
    index = json.loads((folder / "out" / "index.json").read_text())
    assert (done.count, done.problems) == (3, ())
    assert [row["id"] for row in index["checkpoints"]] == [one.id for one in made]
    for row, one in zip(index["checkpoints"], made, strict=True):
        assert one.id in row["file"]
        assert (folder / "out" / row["file"]).read_bytes() == histories.read(one)


@pytest.mark.skipif(os.name == "nt", reason="files have no such modes there")
def test_an_export_can_be_read_by_those_who_may_read_the_notebook(
    histories: Histories, folder: Path
) -> None:
    """What was private does not become everybody's by being exported."""
    for name, mode in {"private.ipynb": 0o600, "shared.ipynb": 0o644}.items():
        path = folder / name
        path.write_bytes(make_notebook("x = 1"))
        path.chmod(mode)
        checkpoint_document(histories, path, reason=Reason.MANUAL)
        path.unlink()
        exchange.export_folder(histories, str(path), folder / f"of {name}")
        for file in (folder / f"of {name}").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == mode, file


def test_an_export_overwrites_nothing(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(RestoreRefused, match="not empty"):
        exchange.export_folder(histories, PATH, folder)
    assert os.listdir(folder) == ["mine.txt"]


def test_an_exported_folder_comes_back_with_times_authors_and_marks(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    exchange.export_folder(histories, PATH, folder / "out")
    done = exchange.import_folder(histories, folder / "out", OTHER)
    found = histories.checkpoints(OTHER)
    assert (done.count, done.created) == (3, 3)
    assert [one.time_ns for one in found] == [one.time_ns for one in made]
    assert [one.author for one in found] == ["ada", "bob <b@x>", "eve"]
    assert [(one.labels, one.pinned) for one in found] == [
        (("first",), False),
        ((), True),
        ((), False),
    ]
    assert {one.reason for one in found} == {Reason.IMPORTED}
    assert [histories.read(one) for one in found] == [histories.read(one) for one in made]


def test_importing_twice_makes_nothing_twice(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    exchange.export_folder(histories, PATH, folder / "out")
    exchange.import_folder(histories, folder / "out", OTHER)
    assert exchange.import_folder(histories, folder / "out", OTHER).created == 0
    assert len(histories.checkpoints(OTHER)) == 3


def test_a_damaged_file_of_an_export_is_not_taken_for_a_state(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    """A file that is not what was exported is named; the others are taken."""
    exchange.export_folder(histories, PATH, folder / "out")
    hurt = sorted((folder / "out").glob("*.ipynb"))[1]
    hurt.write_bytes(hurt.read_bytes().replace(b"x = 1", b"x = 7"))
    done = exchange.import_folder(histories, folder / "out", OTHER)
    [problem] = done.problems
    assert hurt.name in problem
    assert (done.count, done.created) == (2, 2)
    found = histories.checkpoints(OTHER)
    assert [histories.read(one) for one in found] == [histories.read(made[at]) for at in (0, 2)]


def test_an_index_without_its_list_is_no_empty_export(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    """An index that does not list its checkpoints is refused."""
    exchange.export_folder(histories, PATH, folder / "out")
    (folder / "out" / "index.json").write_text('{"format": 1, "checkpoints": {}}')
    with pytest.raises(Format):
        exchange.import_folder(histories, folder / "out", OTHER)


def test_an_import_takes_no_label_away(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    """A label that the history has keeps its checkpoint; the imported one gets another, and the
    answer says so once."""
    exchange.export_folder(histories, PATH, folder / "out")
    mine = histories.record(OTHER, make_notebook("mine"), reason=Reason.SAVE).checkpoint
    histories.label(mine, "first")
    done = exchange.import_folder(histories, folder / "out", OTHER)
    [note] = done.notes
    assert '"first"' in note and '"first (imported)"' in note and mine.id in note
    assert histories.resolve(OTHER, "first").id == mine.id
    imported = histories.resolve(OTHER, "first (imported)")
    assert histories.read(imported) == histories.read(made[0])
    again = exchange.import_folder(histories, folder / "out", OTHER)
    assert (again.created, again.notes) == (0, ())


def test_what_is_imported_stands_where_its_time_puts_it(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    """An old copy goes before what was kept since; the head stays the notebook as it is."""
    old = folder / "old.ipynb"
    old.write_bytes(make_notebook("older"))
    moment = made[0].time_ns + 1800 * SECOND
    os.utime(old, ns=(moment, moment))
    exchange.import_files(histories, [old], PATH)
    found = histories.checkpoints(PATH)
    assert [one.time_ns for one in found] == sorted(one.time_ns for one in found)
    assert found[1].reason == Reason.IMPORTED
    assert histories.head(PATH) == found[-1] == histories.resolve(PATH, "head")
    assert found[-1].id == made[-1].id


def test_files_are_imported_in_the_order_of_their_times(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock
) -> None:
    files = []
    for number, age in enumerate((100, 300, 200)):
        files.append(folder / f"copy {number}.ipynb")
        files[-1].write_bytes(make_notebook(f"x = {number}"))
        moment = fake_clock.time_ns - age * SECOND
        os.utime(files[-1], ns=(moment, moment))
    done = exchange.import_files(histories, files, PATH)
    assert (done.count, done.created) == (3, 3)
    states = [histories.read(one) for one in histories.checkpoints(PATH)]
    assert states == [make_notebook(f"x = {n}") for n in (1, 2, 0)]


def test_an_import_of_what_is_not_there_is_not_found(histories: Histories, folder: Path) -> None:
    with pytest.raises(NotFound):
        exchange.import_folder(histories, folder, PATH)
    with pytest.raises(NotFound):
        exchange.import_files(histories, [folder / "none.ipynb"], PATH)


def test_a_history_becomes_git_commits_with_its_times_and_authors(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    done = exchange.export_git(histories, PATH, folder / "repo")
    log = git(folder / "repo", "log", "--reverse", "--format=%at %ct %an %s", "rewind/a.ipynb")
    times = [one.time_ns // SECOND for one in made]
    assert done.count == 3
    assert log.splitlines() == [
        f"{times[0]} {times[0]} ada save: a.ipynb (first)",
        f"{times[1]} {times[1]} bob b@x save: a.ipynb",
        f"{times[2]} {times[2]} eve save: a.ipynb",
    ]
    assert (
        git(folder / "repo", "show", "rewind/a.ipynb~1:a.ipynb") == make_notebook("x = 1").decode()
    )
    git(folder / "repo", "fsck", "--strict")


def test_an_export_to_git_touches_nothing_of_the_repository(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.ipynb").write_text("mine")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "mine")
    before = git(folder, "rev-parse", "main")
    exchange.export_git(histories, PATH, folder)
    assert git(folder, "rev-parse", "main") == before
    assert git(folder, "status", "--porcelain") == ""
    with pytest.raises(RestoreRefused, match="exists"):
        exchange.export_git(histories, PATH, folder)


@pytest.mark.parametrize(
    "name", ["ünï & co.ipynb", 'a "b" \\ c.ipynb', "-x..lock", "a~^:?*[.ipynb"]
)
def test_names_that_git_finds_odd_are_exported(
    histories: Histories, folder: Path, name: str
) -> None:
    histories.record(f"/p/{name}", make_notebook("1"), reason=Reason.SAVE)
    exchange.export_git(histories, f"/p/{name}", folder)
    [branch] = git(folder, "for-each-ref", "--format=%(refname)").split()
    files = git(folder, "ls-tree", "-z", "--name-only", branch)
    assert files == f"{name}\0"


@pytest.mark.parametrize("name", [".git", ".GIT", ".git. ", "git~1"])
def test_a_name_that_git_keeps_for_itself_is_refused_before_anything_is_made(
    histories: Histories, folder: Path, name: str
) -> None:
    histories.record(f"/p/{name}", make_notebook("1"), reason=Reason.SAVE)
    with pytest.raises(InvalidInput, match="git takes no file"):
        exchange.export_git(histories, f"/p/{name}", folder / "repo")
    assert os.listdir(folder) == []


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """Files are for everybody to read, unless somebody says otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.skipif(os.name == "nt", reason="files have no such modes there")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_git_repository_made_for_a_notebook_is_for_those_who_may_read_that(
    histories: Histories, folder: Path, mode: int
) -> None:
    """Also what the user commits there later."""
    path, repo = folder / "a.ipynb", folder / "repo"
    path.write_bytes(make_notebook("secret"))
    path.chmod(mode)
    checkpoint_document(histories, path, reason=Reason.MANUAL)
    exchange.export_git(histories, str(path), repo)
    git(repo, "fsck", "--strict")
    git(repo, "commit", "-q", "--allow-empty", "-m", "of mine")
    objects = [file for file in (repo / ".git" / "objects").rglob("*") if file.is_file()]
    assert len(objects) > 1
    for file in (repo / "a.ipynb", *objects):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == mode & 0o077


def test_the_commits_of_a_file_are_imported_through_a_rename(
    histories: Histories, folder: Path
) -> None:
    git(folder, "init", "-q")
    states = [make_notebook("x = 1", "y" * 500), make_notebook("x = 2", "y" * 500)]
    (folder / "old name.ipynb").write_bytes(states[0])
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one", "--date=2024-01-01T00:00:00Z", "--author=Ada <a@x>")
    git(folder, "mv", "old name.ipynb", "new.ipynb")
    git(folder, "commit", "-qm", "moved", "--date=2024-01-02T00:00:00Z", "--author=Ada <a@x>")
    (folder / "new.ipynb").write_bytes(states[1])
    git(folder, "commit", "-qam", "two", "--date=2024-01-03T00:00:00Z", "--author=Bob <b@x>")
    done = exchange.import_git(histories, folder, "new.ipynb", PATH)
    found = histories.checkpoints(PATH)
    assert (done.count, done.created) == (3, 2)
    assert [histories.read(one) for one in found] == states
    assert [(one.author, one.time_ns // SECOND) for one in found] == [
        ("Ada", 1704067200),
        ("Bob", 1704240000),
    ]


def test_a_history_goes_through_git_and_back(
    histories: Histories, made: list[Checkpoint], folder: Path
) -> None:
    exchange.export_git(histories, PATH, folder)
    git(folder, "checkout", "-q", "rewind/a.ipynb")
    exchange.import_git(histories, folder, "a.ipynb", OTHER)
    found = histories.checkpoints(OTHER)
    assert [histories.read(one) for one in found] == [histories.read(one) for one in made]


def test_git_words_reach_the_user(histories: Histories, folder: Path) -> None:
    git(folder, "init", "-q")
    with pytest.raises(RewindError, match="git|commit"):
        exchange.import_git(histories, folder, "none.ipynb", PATH)


def test_the_stock_checkpoint_becomes_the_first_one_and_is_left_alone(
    histories: Histories, folder: Path, fake_clock: clock.FakeClock
) -> None:
    path = folder / "a.ipynb"
    stock = folder / ".ipynb_checkpoints" / "a-checkpoint.ipynb"
    stock.parent.mkdir()
    stock.write_bytes(make_notebook("before Rewind"))
    moment = fake_clock.time_ns - 86400 * SECOND
    os.utime(stock, ns=(moment, moment))
    path.write_bytes(make_notebook("now"))
    assert take_stock_checkpoint(histories, path)
    checkpoint_document(histories, path, reason=Reason.SAVE)
    first, second = histories.checkpoints(str(path))
    assert (first.reason, first.time_ns, second.reason) == (Reason.IMPORTED, moment, Reason.SAVE)
    assert histories.read(first) == stock.read_bytes() == make_notebook("before Rewind")
    assert stock.stat().st_mtime_ns == moment
    assert not take_stock_checkpoint(histories, path)


def test_an_import_from_the_future_is_not_the_head_for_ever(
    histories: Histories, made: list[Checkpoint], folder: Path, fake_clock: clock.FakeClock
) -> None:
    """A file's time can be wrong: the next save is the head all the same."""
    early = folder / "wrong clock.ipynb"
    early.write_bytes(make_notebook("older"))
    moment = fake_clock.time_ns + 10**6 * SECOND
    os.utime(early, ns=(moment, moment))
    exchange.import_files(histories, [early], PATH)
    saved = histories.record(PATH, make_notebook("next"), reason=Reason.SAVE).checkpoint
    assert histories.head(PATH) == histories.checkpoints(PATH)[-1]
    assert histories.resolve(PATH, "head").id == saved.id


@pytest.mark.parametrize("seconds", [10**12, -(10**9)])
def test_a_time_that_no_calendar_knows_harms_nothing(
    histories: Histories, made: list[Checkpoint], folder: Path, seconds: int
) -> None:
    """A file with an odd time is taken in, and its history is listed, exported and expired."""
    histories.record(PATH, make_notebook("odd"), reason=Reason.IMPORTED, time_ns=seconds * SECOND)
    found = histories.checkpoints(PATH)
    assert len(found) == len(made) + 1
    for one in found:
        assert 1969 < datetime.fromtimestamp(one.time_ns / 1e9, UTC).year < 10_000
    assert expire(histories, Policy()) == []
    assert exchange.export_folder(histories, PATH, folder / "all").count == len(found)
