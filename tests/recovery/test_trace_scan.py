"""Folders and files that the user names."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import BinaryIO, NoReturn

import pytest

from jupyter_rewind.errors import Format
from jupyter_rewind.recovery import archives, regular, search
from jupyter_rewind.recovery.evidence import Problem
from jupyter_rewind.recovery.traces.scan import ScanFinder
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.traces import Home, look_with, notebook_text, sources, traces_of

FINDER = ScanFinder()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_notebooks_of_any_name_are_found(home: Home) -> None:
    """A browser's download, a cache's copy without a suffix: what begins like a notebook is one."""
    folder = home.path / "downloads"
    for name in ("analysis (1).ipynb.crdownload", ".cache/f_00a1", "deep/x.json", "y.ipynb"):
        put(folder / name, notebook_text(name))
    put(folder / "data.json", '{"rows": []}')
    put(folder / "other.recovered.ipynb", notebook_text("our own work"))
    put(folder / "script.py", "x = 1")
    scope = home.scope(scan=(folder,))
    told = {tuple(sources(FINDER, t, scope)): t.notebook for t in traces_of(FINDER, scope)}
    assert told == {
        ("analysis (1).ipynb.crdownload",): str(home.work / "analysis.ipynb"),
        (".cache/f_00a1",): None,
        ("deep/x.json",): None,
        ("y.ipynb",): None,
    }


def test_a_file_that_is_named_is_the_notebook(home: Home) -> None:
    """When you point at one file, it is taken for the notebook whatever it is called."""
    place = put(home.path / "attachment.bin", notebook_text("mailed"))
    scope = home.scope(scan=(place,))
    [trace] = traces_of(FINDER, scope)
    assert trace.notebook == str(home.work / "analysis.ipynb")
    assert sources(FINDER, trace, scope) == ["mailed"]


def test_a_pipe_or_a_device_that_is_named_is_told_and_left_alone(home: Home) -> None:
    """Nothing was read there, and you are told so; one that lies in a folder is passed over."""
    pipe = home.path / "downloads/pipe.ipynb"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    traces, problems = look_with(FINDER, home.scope(scan=(pipe, Path(os.devnull), pipe.parent)))
    assert traces == []
    assert [each.place for each in problems] == [str(pipe), os.devnull]
    assert all("no file" in each.words for each in problems)


def test_what_was_brought_back_before_is_told_and_not_built_on(home: Home) -> None:
    """A backup has what an earlier `recover` wrote: the best there is, perhaps, and no trace."""
    kept = put(home.path / "backup/analysis.recovered-2.ipynb", notebook_text("x"))
    put(home.path / "backup/other.recovered.ipynb", notebook_text("y"))
    put(home.work / "analysis.recovered.ipynb", notebook_text("z"))
    told = list(FINDER.find(home.scope(scan=(home.path / "backup", home.work))))
    assert [(type(each), each.place) for each in told] == [(Problem, str(kept))]
    assert "brought back before" in getattr(told[0], "words", "")


def test_nothing_is_scanned_unless_asked(home: Home) -> None:
    """Without --scan no folder is walked through."""
    put(home.work / "other.ipynb", notebook_text("x"))
    assert traces_of(FINDER, home.scope()) == []


def test_a_folder_that_cannot_be_opened_is_told() -> None:
    """Not allowed is not empty."""
    with anybodys_folder() as folder:
        home = Home(folder)
        closed = home.path / "closed"
        closed.mkdir(mode=0)
        closed.chmod(0)

        def check() -> None:
            traces, [problem] = look_with(FINDER, home.scope(scan=(closed,)))
            assert (traces, problem.place) == ([], str(closed))

        run_unprivileged(check)


def test_archives_of_a_folder_are_told(home: Home) -> None:
    """What takes long to look into is told with what to do, and hides nothing."""
    folder = home.path / "downloads"
    put(folder / "analysis.ipynb", notebook_text("x = 1"))
    put(folder / "backup.tgz", "x")
    scope = home.scope(scan=(folder,))
    traces, [problem] = look_with(FINDER, scope)
    assert [each.place for each in traces] == [str(folder / "analysis.ipynb")]
    assert problem.place == str(folder)
    assert "1 archive in it was not looked into (backup.tgz)" in problem.words
    for number in range(4):
        put(folder / "deep" / f"part{number}.tar.gz", "x")
    _, [problem] = look_with(FINDER, scope)
    assert "5 archives in it were not looked into" in problem.words
    assert "part2.tar.gz" not in problem.words


MEMBERS = {
    "project/analysis.ipynb": "x = 1", "project/old/analysis (1).ipynb": "x = 0",
    "project/other.ipynb": "y = 2", "__MACOSX/project/._analysis.ipynb": "attributes",
    "project/rows.csv": "a,b",
}  # fmt: skip


def pack(place: Path, form: str) -> Path:
    """An archive of a project."""
    if form == "zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as made:
            for name, text in MEMBERS.items():
                made.writestr(name, notebook_text(text))
        return place
    with tarfile.open(place, f"w:{form}") as tar:
        for name, text in MEMBERS.items():
            tar.addfile(*member(name, text))
    return place


def member(name: str, text: str, **headers: str) -> tuple[tarfile.TarInfo, BinaryIO]:
    """A notebook as `addfile` takes it."""
    raw = notebook_text(text).encode()
    made = tarfile.TarInfo(name)
    made.size, made.mtime, made.pax_headers = len(raw), 1_700_000_000, headers
    return made, io.BytesIO(raw)


@pytest.mark.parametrize(
    ("name", "form"),
    [("b.zip", "zip"), ("b.tar", ""), ("b.tgz", "gz"), ("b.tar.xz", "xz"), ("B.TAR.BZ2", "bz2")],
)
def test_notebook_in_an_archive_comes_back(home: Home, name: str, form: str) -> None:
    """A mail, a download of a whole folder: you name it as it is, and nothing is unpacked."""
    place = pack(home.path / name, form)
    scope = home.scope(scan=(place,))
    told = {tuple(sources(FINDER, t, scope)): t.notebook for t in traces_of(FINDER, scope)}
    own = str(home.work / "analysis.ipynb")
    assert told == {("x = 1",): own, ("x = 0",): own, ("y = 2",): None}
    assert sorted(each.name for each in home.path.iterdir()) == sorted(["scratch", "work", name])
    if form == "zip":
        inside = home.scope(scan=(home.path,))
        assert {each.place for each in traces_of(FINDER, inside)} >= {
            f"{place}: project/analysis.ipynb"
        }


def test_packed_archive_is_gone_through_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup of gigabytes that holds a hundred notebooks takes as long as one that holds one."""
    place = pack(home.path / "backup.tgz", "gz")
    opened: list[Path] = []

    def open_file(path: Path) -> BinaryIO:
        opened.append(path)
        return regular.open_file(path)

    monkeypatch.setattr(archives, "open_file", open_file)
    scope = home.scope(scan=(place,))
    found = [sources(FINDER, each, scope) for each in traces_of(FINDER, scope)]
    assert sorted(found) == [["x = 0"], ["x = 1"], ["y = 2"]]
    assert opened == [place]


@pytest.mark.parametrize("form", ["zip", ""])
def test_archive_whose_members_are_reached_one_by_one_takes_no_room(home: Home, form: str) -> None:
    """Of zips, and tars that are not packed, nothing is copied: a notebook is read where it lies,
    also the earlier one of two that have the same name."""
    place = pack(home.path / f"backup.{form or 'tar'}", form)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the name that stands there twice
        if form == "zip":
            with zipfile.ZipFile(place, "a") as made:
                made.writestr("project/analysis.ipynb", notebook_text("x = 2"))
        else:
            with tarfile.open(place, "a") as tar:
                tar.addfile(*member("project/analysis.ipynb", "x = 2"))
    scope = home.scope(scan=(place,))
    found = [sources(FINDER, each, scope) for each in traces_of(FINDER, scope)]
    assert sorted(found) == [["x = 0"], ["x = 1"], ["x = 2"], ["y = 2"]]
    assert list(scope.scratch.iterdir()) == []


@pytest.mark.parametrize(("most", "times"), [(250_000, 2), (1, 8)])
def test_list_of_a_zip_is_read_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, most: int, times: int
) -> None:
    """A zip of a project with all its data takes no longer for each notebook that is in it, also
    where two are read by turns, unless both lists are too long to be held; one that was written
    anew is another one."""
    place, other = (pack(home.path / f"{name}.zip", "zip") for name in ("backup", "older"))
    monkeypatch.setattr(archives, "_MOST_LISTED", most)
    opened: list[BinaryIO] = []

    class Counted(zipfile.ZipFile):
        def __init__(self, file: BinaryIO) -> None:
            opened.append(file)
            super().__init__(file)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    scope = home.scope(scan=(place, other))
    traces = traces_of(FINDER, scope)
    by_turns = [each for pair in zip(traces[:3], traces[3:], strict=True) for each in pair]
    found = [sources(FINDER, each, scope) for each in by_turns]
    assert sorted(found) == [["x = 0"], ["x = 0"], ["x = 1"], ["x = 1"], ["y = 2"], ["y = 2"]]
    assert len(opened) == times
    monkeypatch.undo()
    scope = home.scope(scan=(place,))
    with zipfile.ZipFile(place, "w") as made:
        made.writestr("late.ipynb", notebook_text("z = 3"))
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["z = 3"]


def test_archive_comes_back_where_there_is_no_room_for_copies(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk that just ran full has no room for what is in the backup: it is read in place."""
    monkeypatch.setattr(archives, "KEPT_BYTES", 0)
    place = pack(home.path / "backup.tgz", "gz")
    scope = home.scope(scan=(place,))
    found = [sources(FINDER, each, scope) for each in traces_of(FINDER, scope)]
    assert sorted(found) == [["x = 0"], ["x = 1"], ["y = 2"]]
    assert list(scope.scratch.iterdir()) == []


@pytest.mark.parametrize("form", ["zip", "gz"])
def test_member_that_is_too_large_is_not_unpacked(
    home: Home, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is larger than a notebook can be is told by the size that the archive says."""
    place = pack(home.path / f"backup.{'zip' if form == 'zip' else 'tgz'}", form)
    unpacked: list[object] = []
    monkeypatch.setattr(archives, "MOST_BYTES", 64)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *given: unpacked.append(given))
    monkeypatch.setattr(tarfile.TarFile, "extractfile", lambda *given: unpacked.append(given))
    scope = home.scope(scan=(place,))
    traces = traces_of(FINDER, scope)
    assert len(traces) == 3
    for trace in traces:
        with pytest.raises(Format, match="larger than"):
            FINDER.read(trace, scope)
    assert unpacked == []


def test_copies_that_fail_take_of_the_room(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed archive of which nothing can be copied is not tried without end."""
    place = pack(home.path / "backup.tgz", "gz")
    tried: list[object] = []

    def fail(*given: object) -> NoReturn:
        tried.append(given)
        raise OSError(errno.ENOSPC, "No space left on device")

    size = len(notebook_text("x = 1"))
    monkeypatch.setattr(archives, "KEPT_BYTES", size + 1)
    monkeypatch.setattr(tarfile.TarFile, "extractfile", fail)
    assert len(traces_of(FINDER, home.scope(scan=(place,)))) == 3
    assert len(tried) == 1


@pytest.mark.parametrize(
    "time", ["nan", "inf", "-inf", "1e300", "1000000000000000", "-10000000000000"]
)
def test_absurd_time_of_a_member_costs_the_time_alone(home: Home, time: str) -> None:
    """A tar may say anything of when a file was written: the notebooks in it are found."""
    place = home.path / "backup.tar"
    with tarfile.open(place, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(*member("analysis.ipynb", "x = 1", mtime=time))
        tar.addfile(*member("other.ipynb", "y = 2"))
    scope = home.scope(scan=(place,))
    found = search.look(scope, [FINDER])
    assert found.problems == ()
    assert [each.time_ns for each in found.traces] == [None, 1_700_000_000 * 10**9]
    assert [sources(FINDER, each, scope) for each in found.traces] == [["x = 1"], ["y = 2"]]


def test_notebook_in_an_archive_that_parts_folders_as_windows_does(home: Home) -> None:
    """Some archives of Windows have `project\\analysis.ipynb`: it is that notebook."""
    place = home.path / "old.zip"
    with zipfile.ZipFile(place, "w") as made:
        made.writestr("project\\analysis.ipynb", notebook_text("x = 1"))
        made.writestr("project\\.ipynb_checkpoints\\rows-checkpoint.csv", "a,b")
        made.writestr("__MACOSX\\project\\._analysis.ipynb", "attributes")
    [trace] = traces_of(FINDER, home.scope(scan=(place,)))
    assert trace.notebook == str(home.work / "analysis.ipynb")


def test_notebook_that_is_packed_alone_comes_back(home: Home) -> None:
    """What a tool packed to save room is no damaged notebook; one that only says so is read."""
    place = home.path / "analysis.ipynb.gz"
    scope = home.scope(scan=(place,))
    for raw in (gzip.compress(notebook_text("x = 1").encode()), notebook_text("x = 1").encode()):
        place.write_bytes(raw)
        [trace] = traces_of(FINDER, scope)
        assert sources(FINDER, trace, scope) == ["x = 1"]


@pytest.mark.parametrize("name", ["backup.zip", "backup.tgz"])
def test_damaged_archive_is_a_problem_in_words(home: Home, name: str) -> None:
    """A download that did not end costs itself alone."""
    place = home.path / name
    raw = pack(place, "zip" if name.endswith("zip") else "gz").read_bytes()
    for end in (0, 1, 30, len(raw) // 2):
        place.write_bytes(raw[:end])
        scope = home.scope(scan=(place,))
        traces, problems = look_with(FINDER, scope)
        assert len(problems) == 1, end
        assert problems[0].words.startswith("It could not be looked into: The archive is damaged")
        for trace in traces:
            with contextlib.suppress(Format, OSError):
                assert sources(FINDER, trace, scope) == [MEMBERS[trace.handle["member"]]]


def test_damaged_name_in_an_archive_hides_nothing_else(home: Home) -> None:
    """One name in the list does not read: the others are found, and what you named besides."""
    place = home.path / "backup.zip"
    with zipfile.ZipFile(place, "w") as made:
        for name in ("first.ipynb", "other.ipynb"):
            made.writestr(name, notebook_text(name))
    raw = place.read_bytes()
    at = raw.rindex(b"first.ipynb")
    place.write_bytes(raw[:at] + b"\0" + raw[at + 1 :])
    beside = put(home.path / "copy.ipynb", notebook_text("x = 1"))
    traces, _ = look_with(FINDER, home.scope(scan=(place, beside)))
    assert [each.place for each in traces] == [f"{place}: other.ipynb", str(beside)]


def test_what_lies_before_the_damage_of_an_archive_is_read(home: Home) -> None:
    """A download that was cut short gives what came."""
    place = pack(home.path / "backup.tar", "")
    place.write_bytes(place.read_bytes()[: 3 * 512])
    traces, [problem] = look_with(FINDER, scope := home.scope(scan=(place,)))
    assert "damaged" in problem.words
    assert sources(FINDER, traces[0], scope) == ["x = 1"]


def test_what_unpacks_without_end_is_not_held(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes that unpack to gigabytes are told, and take no room."""
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    place = home.path / "analysis.ipynb.gz"
    place.write_bytes(gzip.compress(bytes(1 << 22)))
    scope = home.scope(scan=(place,))
    [trace] = traces_of(FINDER, scope)
    with pytest.raises(Format, match="larger than 1 MB"):
        FINDER.read(trace, scope)


@pytest.mark.parametrize(("at", "value"), [(6, 1), (8, 93)], ids=["a password", "its packing"])
def test_zip_that_cannot_be_unpacked_here_says_what_to_do(home: Home, at: int, value: int) -> None:
    """The notebook in it is named, and how it can be read all the same."""
    place = home.path / "locked.zip"
    raw = bytearray(pack(place, "zip").read_bytes())
    for start in (raw.find(b"PK\x03\x04") + at, raw.find(b"PK\x01\x02") + at + 2):
        raw[start] = value
    place.write_bytes(raw)
    scope = home.scope(scan=(place,))
    trace = traces_of(FINDER, scope)[0]
    with pytest.raises(Format, match=r"cannot be unpacked here: .* name what it gives with --scan"):
        FINDER.read(trace, scope)
