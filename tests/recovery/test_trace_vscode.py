"""VS Code's local history and unsaved editors, on files built from the described format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery.evidence import Scope
from jupyter_rewind.recovery.traces.vscode import VSCodeFinder, folder_name, path_of
from tests.support.traces import Home, look_with, notebook_text, sources, traces_of

FINDER = VSCodeFinder()
PLACES = {
    "linux": ".config/Code",
    "insiders": ".config/Code - Insiders",
    "codium": ".config/VSCodium",
    "cursor": ".config/Cursor",
    "flatpak": ".var/app/com.visualstudio.code/config/Code",
    "remote": ".vscode-server/data",
    "code-server": ".local/share/code-server",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def keep(home: Home, place: str, address: str, *states: str, folder: str = "-1f2e3d") -> Path:
    """Local history as VS Code lays it down: copies with random names, and their list."""
    kept = home.path / place / "User/History" / folder
    kept.mkdir(parents=True)
    entries: list[dict[str, Any]] = []
    for number, state in enumerate(states):
        name = f"aB{number}x.ipynb"
        (kept / name).write_text(notebook_text(state))
        entries.append({"id": name, "timestamp": 1_700_000_000_000 + number})
    entries[-1]["source"] = "undoRedo.source"
    told = {"version": 1, "resource": address, "entries": entries}
    (kept / "entries.json").write_text(json.dumps(told))
    return kept


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_each_state_of_the_local_history_is_found(home: Home, place: str) -> None:
    """Every copy that VS Code made of the notebook is found, with its time."""
    notebook = home.work / "ana lysis.ipynb"
    keep(home, place, notebook.as_uri(), "first", "second")
    keep(home, place, (home.work / "other.ipynb").as_uri(), "other", folder="77")
    scope = home.scope(notebook)
    found = traces_of(FINDER, scope)
    assert [sources(FINDER, each, scope) for each in found] == [["first"], ["second"]]
    assert [each.time_ns for each in found] == [
        1_700_000_000_000_000_000,
        1_700_000_000_001_000_000,
    ]
    assert {each.notebook for each in found} == {str(notebook)}


@pytest.mark.parametrize(
    ("platform", "place"),
    [("darwin", "Library/Application Support/Code"), ("win32", "AppData/Roaming/Code")],
)
def test_other_platforms_keep_it_elsewhere(home: Home, platform: str, place: str) -> None:
    """On macOS and Windows the folder is another one."""
    notebook = home.work / "analysis.ipynb"
    keep(home, place, notebook.as_uri(), "only")
    scope = home.scope(platform=platform)
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["only"]


def test_a_notebook_edited_over_ssh_is_found(home: Home) -> None:
    """On the machine you sit at, the history names the file by a remote address."""
    address = f"vscode-remote://ssh-remote%2Bbox{home.work}/analysis.ipynb"
    keep(home, PLACES["linux"], address, "far")
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["far"]


def back_up(home: Home, address: str, text: str) -> Path:
    backup = home.path / ".config/Code/Backups/1700000000000/file/5d41402a"
    backup.parent.mkdir(parents=True, exist_ok=True)
    facts = {"mtime": 1, "size": 2, "etag": "x", "typeId": "notebook/jupyter-notebook"}
    backup.write_text(f"{address} {json.dumps(facts)}\n{text}")
    return backup


def test_an_unsaved_editor_is_found(home: Home) -> None:
    """VS Code was killed with unsaved edits; its backup of them is read."""
    back_up(home, (home.work / "analysis.ipynb").as_uri(), notebook_text("never saved"))
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert sources(FINDER, trace, scope) == ["never saved"]


def test_a_notebook_that_never_had_a_name_is_offered(home: Home) -> None:
    """An untitled notebook is nobody's yet, and is offered as such."""
    back_up(home, "untitled:Untitled-1.ipynb?jupyter-notebook", notebook_text("nameless"))
    scope = home.scope()
    [trace] = traces_of(FINDER, scope)
    assert (trace.notebook, sources(FINDER, trace, scope)) == (None, ["nameless"])


def test_a_folder_shows_what_was_edited_in_it(home: Home) -> None:
    """Without a name, the notebooks below the folder are listed, and no other files."""
    keep(home, PLACES["linux"], (home.work / "a/b.ipynb").as_uri(), "x", folder="1")
    keep(home, PLACES["linux"], (home.work / "a/b.py").as_uri(), "y", folder="2")
    keep(home, PLACES["linux"], (home.path / "elsewhere.ipynb").as_uri(), "z", folder="3")
    found = traces_of(FINDER, home.scope(None))
    assert [each.notebook for each in found] == [str(home.work / "a/b.ipynb")]


def test_a_list_that_points_elsewhere_leads_nowhere(home: Home) -> None:
    """A list with a path for a name cannot make another file be read."""
    kept = keep(home, PLACES["linux"], (home.work / "analysis.ipynb").as_uri(), "x")
    (home.path / "secret.ipynb").write_text(notebook_text("secret"))
    told = json.loads((kept / "entries.json").read_text())
    told["entries"] = [
        {"id": "../../../../../secret.ipynb", "timestamp": 1},
        {"id": None},
        {"id": ["a"]},
    ]
    (kept / "entries.json").write_text(json.dumps(told))
    (kept / "aB0x.ipynb").unlink()
    assert traces_of(FINDER, home.scope()) == []


@given(raw=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_list_is_read_or_told(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever stands in a list of VS Code's, looking ends in words."""
    home = Home(tmp_path_factory.mktemp("home"))
    kept = keep(home, PLACES["linux"], (home.work / "analysis.ipynb").as_uri(), "x")
    (kept / "entries.json").write_bytes(raw)
    traces, problems = look_with(FINDER, home.scope())
    assert not traces
    assert len(problems) == 1


@given(st.text())
def test_any_address_names_a_path_or_nothing(address: str) -> None:
    """No address makes the look fail."""
    scope = Scope(Path("/work/analysis.ipynb"), Path("/work"), Path("/"), Path("/"))
    assert path_of(address, scope) is None or isinstance(path_of(address, scope), Path)


def test_a_notebook_opened_by_way_of_a_link_is_found(home: Home) -> None:
    """The editor knew the folder by a link; it is the same notebook."""
    link = home.path / "shortcut"
    link.symlink_to(home.work)
    keep(home, PLACES["linux"], (link / "analysis.ipynb").as_uri(), "linked")
    [trace] = traces_of(FINDER, home.scope())
    assert trace.notebook == str(home.work / "analysis.ipynb")


def test_copies_that_no_list_names_are_found(home: Home) -> None:
    """The editor was killed before it wrote its list: the copies lie in a folder of known name."""
    notebook = home.work / "ana lysis.ipynb"
    kept = keep(home, PLACES["linux"], notebook.as_uri(), "listed", folder=folder_name(notebook))
    (kept / "Zz9a.ipynb").write_text(notebook_text("not listed"))
    scope = home.scope(notebook)
    found = [sources(FINDER, each, scope) for each in traces_of(FINDER, scope)]
    assert found == [["listed"], ["not listed"]]
    (kept / "entries.json").unlink()
    (kept / "aB0x.ipynb").unlink()
    [trace] = traces_of(FINDER, scope)
    assert (trace.notebook, sources(FINDER, trace, scope)) == (str(notebook), ["not listed"])


def test_a_folder_is_named_as_the_editor_names_it() -> None:
    """The hash is a signed one of 32 bits, of the address with all but plain letters encoded."""
    assert folder_name(Path("/")) == hash_by_hand("file:///")
    assert folder_name(Path("/a b/ü.ipynb")) == hash_by_hand("file:///a%20b/%C3%BC.ipynb")


def hash_by_hand(text: str) -> str:
    """As it is described: times 31, plus the next character, cut to 32 signed bits."""
    value = 149417
    for character in text:
        value = (value << 5) - value + ord(character)
        value = (value + 2**31) % 2**32 - 2**31
    return f"{'-' if value < 0 else ''}{abs(value):x}"
