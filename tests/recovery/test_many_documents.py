"""Many documents: an older one that has the lost cells is read, and what is not read is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.recovery import nameless, thinning
from jupyter_rewind.recovery.evidence import (
    EVERYTHING,
    Evidence,
    EvidenceCell,
    FoundDocument,
    Trace,
)
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.search import gather, look
from jupyter_rewind.recovery.thinning import left_in_words, select
from tests.support.evidence import TARGET
from tests.support.traces import Home, notebook_text

THESIS = ["thesis = load('one')", "chapter = thesis.part(1)", "chapter.analyse(depth=4)"]
SECOND = 1_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def put(path: Path, *cells: str, at: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook_text(*cells))
    os.utime(path, (at, at))
    return path


def strangers(home: Home, count: int) -> Path:
    """A folder of other notebooks, all of them newer than a copy of the lost one."""
    folder = home.path / "Downloads"
    for number in range(count):
        cells = [f"other_{number} = make({number})", f"show(other_{number})"]
        put(folder / f"other{number}.ipynb", *cells, at=2_000 + number)
    return folder


def checkpoint(home: Home, *cells: str) -> None:
    put(home.work / ".ipynb_checkpoints/analysis-checkpoint.ipynb", *cells, at=900)


def recovered(home: Home, **more: Any) -> Recovery:
    found = recover(home.scope(**more))
    assert isinstance(found, Recovery)
    return found


def cells_of(found: Recovery) -> list[str]:
    return [each.cell.source for each in found.rebuilt.cells]


def test_older_copy_among_many_other_notebooks_of_a_folder_is_found(home: Home) -> None:
    """Forty newer downloads lie above the one that has your last cell: it comes back all the same,
    and all forty were compared."""
    folder = strangers(home, 40)
    put(folder / "final v7.ipynb", *THESIS, "lost = chapter.best()", at=1_000)
    checkpoint(home, *THESIS)
    found = recovered(home, scan=(folder,))
    assert cells_of(found) == [*THESIS, "lost = chapter.best()"]
    [told] = [each for each in found.rebuilt.next_steps if "without a name" in each]
    assert told.startswith("40 notebooks without a name, unlike this one, left out")
    assert found.evidence.unread == ()


def test_what_is_too_much_to_compare_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of more notebooks than are read in a few seconds: how many were not read is said."""
    monkeypatch.setattr(nameless, "MOST_READ", 10)
    folder = strangers(home, 40)
    checkpoint(home, *THESIS)
    found = recovered(home, scan=(folder,))
    assert len(found.evidence.unread) == 40 - thinning.MOST_DOCUMENTS - 10
    assert "6 notebooks without a name were not read" in found.rebuilt.next_steps[-1]


def test_without_anything_to_compare_with_older_ones_are_told_and_can_be_named(home: Home) -> None:
    """Nothing is known of the notebook: the newest are offered, the rest is told, and `--from`
    reads one that was not."""
    folder = strangers(home, 30)
    place = put(folder / "final v7.ipynb", *THESIS, at=1_000)
    found = recovered(home, scan=(folder,))
    assert "7 notebooks without a name were not read" in found.rebuilt.next_steps[-1]
    named = recover(home.scope(scan=(folder,)), version=str(place))
    assert isinstance(named, Recovery)
    assert cells_of(named) == THESIS


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_staged_state_below_many_other_blobs_is_found(home: Home) -> None:
    """Every `git add` of another notebook leaves a blob without a name: yours is below them."""
    environ = {"HOME": str(home.path), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    environ["GIT_COMMITTER_DATE"] = "1000000000 +0000"

    def git(*words: str) -> str:
        command = ["git", "-c", "user.email=a@example.org", "-c", "user.name=A", *words]
        done = subprocess.run(command, cwd=home.work, check=True, capture_output=True, env=environ)
        return done.stdout.decode().strip()

    def drop(name: str, *cells: str, at: int) -> None:
        path = put(home.path / name, *cells, at=at)
        blob = git("hash-object", "-w", str(path))
        os.utime(home.work / ".git/objects" / blob[:2] / blob[2:], (at, at))

    git("init", "-q")
    put(home.work / "analysis.ipynb", *THESIS, at=900)
    git("add", "."), git("commit", "-qm", "one")
    (home.work / "analysis.ipynb").unlink()
    base = 1_100_000_000
    drop("staged", *THESIS, "lost = chapter.best()", at=base)
    for number in range(30):
        drop(
            f"o{number}", f"o_{number} = make({number})", f"show(o_{number})", at=base + 1 + number
        )
    assert cells_of(recovered(home))[-1] == "lost = chapter.best()"


def versions(count: int, *, size: int = 1) -> list[Trace]:
    return [
        Trace("vscode", f"/h/{n}", str(TARGET), EVERYTHING, n * SECOND, size) for n in range(count)
    ]


def test_versions_are_thinned_out_and_not_cut_off(home: Home) -> None:
    """Of a hundred versions the newest, the largest, some between and the first are read."""
    traces = versions(100)
    traces[40] = Trace("vscode", "/h/40", str(TARGET), EVERYTHING, 40 * SECOND, 9_000)
    chosen = select(home.scope(), traces)
    read = {(each.time_ns or 0) // SECOND for each in chosen.read}
    assert len(read) == thinning.MOST_DOCUMENTS
    assert set(range(88, 100)) | {0, 40} <= read
    assert max(b - a for a, b in zip(sorted(read), sorted(read)[1:], strict=False)) <= 15
    assert len(chosen.left) == 76
    [told] = left_in_words(TARGET, chosen.left)
    assert told.startswith("76 older versions of it were not read")


def test_what_is_later_than_asked_for_takes_no_version_its_place(home: Home) -> None:
    """`--until` a day before fifty autosaves: what was saved till then is read."""
    scope = home.scope(until_ns=50 * SECOND)
    read = select(scope, versions(100)).read
    assert max(each.time_ns or 0 for each in read) == 50 * SECOND
    assert len(read) == thinning.MOST_DOCUMENTS


def test_what_has_no_time_is_compared_if_it_has_no_name(home: Home) -> None:
    """Blobs in git's packs have no times: many are compared as others are. A version of yours
    whose time nobody knows is always read, and so is all that is in memory."""
    blobs = [Trace("git", f"{n}", None, EVERYTHING) for n in range(30)]
    own = [Trace("vscode", f"{n}", str(TARGET), EVERYTHING) for n in range(30)]
    memory = [Trace("memory", f"{n}", None, EVERYTHING) for n in range(30)]
    chosen = select(home.scope(), [*blobs, *own, *memory])
    assert (len(chosen.read), chosen.compare, chosen.left) == (84, tuple(blobs[24:]), ())


def test_few_documents_are_all_read(home: Home) -> None:
    """As many as are read at most: none is left."""
    traces = versions(thinning.MOST_DOCUMENTS)
    assert select(home.scope(), traces) == thinning.Selection(tuple(traces))


def test_version_with_most_lost_cells_is_named_first(home: Home) -> None:
    """The notebook collapsed and was saved thirty times since: the state before that is named."""
    steps = [f"step_{n} = work({n})" for n in range(12)]
    kept = home.path / ".config/Code/User/History/1a2b"
    kept.mkdir(parents=True)
    entries = []
    for number in range(40):
        cells = steps[: 3 + number] if number < 10 else ["x = 1", f"y = {number}"]
        name = f"e{number:03d}.ipynb"
        put(kept / name, *cells, at=1_000 + number)
        entries.append({"id": name, "timestamp": (1_000 + number) * 1000})
    address = f"file://{home.work / 'analysis.ipynb'}"
    (kept / "entries.json").write_text(
        json.dumps({"version": 1, "resource": address, "entries": entries})
    )
    put(home.work / "analysis.ipynb", "x = 1", "y = 99", at=5_000)
    steps_told = recovered(home).rebuilt.next_steps
    first = next(each for each in steps_told if each.startswith("Another version has"))
    assert "has 12 cells that are not in it" in first
    assert str(kept / "e009.ipynb") in first
    assert any("16 older versions of it were not read" in each for each in steps_told)


def test_commits_are_read_by_their_size_as_well(home: Home) -> None:
    """What git says of the sizes of many commits is known without reading them."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    environ = {"HOME": str(home.path), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    stream = []
    for number in range(30):
        text = notebook_text(
            *(f"a_{n} = {n}" for n in range(9)) if number == 4 else ("x = 1", f"y = {number}")
        )
        stream.append(
            f"commit refs/heads/main\ncommitter A <a@example.org> {1_000_000 + number} +0000\n"
            f"data 1\nm\nM 100644 inline analysis.ipynb\ndata {len(text.encode())}\n{text}\n"
        )
    for words in (["init", "-q", "-b", "main"], ["fast-import", "--quiet"]):
        subprocess.run(
            ["git", *words], cwd=home.work, check=True, env=environ, input="".join(stream).encode()
        )
    scope = home.scope()
    heard = gather(scope, look(scope).traces)
    assert max(len(each.cells) for each in heard.documents) == 9
    assert len(heard.unread) == 6


def test_most_alike_are_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many that share something with the notebook, those that share most are compared on."""
    monkeypatch.setattr(nameless, "MOST_ALIKE", 2)

    def of(name: str | None, *sources: str) -> FoundDocument:
        cells = tuple(EvidenceCell("code", source) for source in sources)
        return FoundDocument(Trace("git", "x", name, EVERYTHING, 1), cells)

    heard = Evidence((of(str(TARGET), *THESIS),))
    traces = [Trace("git", f"{n}", None, EVERYTHING, 100 - n, 1) for n in range(9)]
    near = {"7": THESIS, "8": THESIS[:2]}

    def read(trace: Trace) -> Evidence:
        return Evidence((of(None, *near.get(trace.place, [THESIS[0], "a = far()", "b = far()"])),))

    kept = nameless.alike_among(home.scope(), traces, heard, read)
    assert [len(each.cells) for each in kept.documents] == [3, 2]
    assert kept.unlike == 7
