"""What JupyterLab's collaboration kept: a real server with real clients, killed."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pycrdt
import pytest
import websocket

from jupyter_rewind import clock
from jupyter_rewind.errors import Format
from jupyter_rewind.recovery.evidence import FoundDocument, Problem
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.traces.collaboration import CollaborationFinder
from jupyter_rewind.recovery.traces.fileids import FileIdFinder
from jupyter_rewind.recovery.ysalvage import copy_store
from jupyter_rewind.recovery.ystore import play_apart, read_updates
from tests.support.ipythons import wait_until
from tests.support.servers import TOKEN, Server
from tests.support.traces import Home, look_with, notebook_text, traces_of

pytestmark = pytest.mark.slow
FLAGS = ("--YDocExtension.document_save_delay=1000",)


class Client:
    """Somebody who works on a notebook in JupyterLab."""

    def __init__(self, server: Server, path: str) -> None:
        body = {"format": "json", "type": "notebook"}
        session = server.ask("PUT", f"api/collaboration/session/{path}", body)
        self.room = f"json:notebook:{session['fileId']}"
        self.doc: Any = pycrdt.Doc()
        self.cells = self.doc.get("cells", type=pycrdt.Array)
        url = f"ws://127.0.0.1:{server.port}/api/collaboration/room/{self.room}"
        self.socket = websocket.create_connection(
            f"{url}?sessionId={session['sessionId']}",
            header=[f"Authorization: token {TOKEN}"],
            timeout=60,
        )
        self.socket.send_binary(pycrdt.create_sync_message(self.doc))
        while not len(self.cells):
            self._hear()
        self.doc.observe(
            lambda event: self.socket.send_binary(pycrdt.create_update_message(event.update))
        )

    def _hear(self) -> None:
        message = self.socket.recv()
        if isinstance(message, bytes) and message[:1] == b"\0":
            answer = pycrdt.handle_sync_message(message[1:], self.doc)
            if answer is not None:
                self.socket.send_binary(answer)

    def type_into(self, index: int, text: str) -> None:
        for letter in text:
            source = self.cells[index]["source"]
            source += letter

    def add(self, source: str, kind: str = "markdown") -> None:
        cell = {"id": f"new-{len(self.cells)}", "cell_type": kind, "metadata": pycrdt.Map({})}
        self.cells.append(pycrdt.Map({**cell, "source": pycrdt.Text(source)}))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def server(home: Home, request: pytest.FixtureRequest) -> Any:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))}
    environ |= {"HOME": str(home.path)}
    environ.pop("XDG_DATA_HOME", None)
    # The store lies in the folder in which the server was started.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home.work)
        server = Server(home.work, environ, *FLAGS, *getattr(request, "param", ()))
    try:
        server.wait()
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def documents(home: Home, **more: object) -> list[FoundDocument]:
    scope = home.scope(**more)
    [trace] = traces_of(CollaborationFinder(), scope)
    assert trace.notebook == str(home.work / "analysis.ipynb")
    evidence = CollaborationFinder().read(trace, scope)
    assert not evidence.problems
    return list(evidence.documents)


def wait_for(home: Home, count: int) -> None:
    """Until the document has so many cells in the store. While the server writes there, it may not
    read for a moment."""

    def is_there() -> bool:
        try:
            return len(documents(home)[-1].cells) == count
        except (AssertionError, IndexError, ValueError):
            return False

    wait_until(is_there)


def test_typing_that_was_never_saved_comes_back_after_a_kill(home: Home, server: Server) -> None:
    """Server killed before it saved: what you typed in JupyterLab is there to the last letter."""
    server.put("analysis.ipynb", "x = 1")
    client = Client(server, "analysis.ipynb")
    client.type_into(0, " + 2  # später")
    client.add("# A heading")
    wait_for(home, 2)
    server.process.kill()
    server.process.wait()
    assert "+ 2" not in (home.work / "analysis.ipynb").read_text()
    [document] = documents(home)
    assert [(cell.kind, cell.source) for cell in document.cells] == [
        ("code", "x = 1 + 2  # später"),
        ("markdown", "# A heading"),
    ]
    assert document.complete
    assert document.time_ns is not None


def test_cells_removed_at_once_come_back_as_an_earlier_state(home: Home, server: Server) -> None:
    """A notebook that collaboration emptied is there as it was just before."""
    server.put("analysis.ipynb", "x = 1")
    client = Client(server, "analysis.ipynb")
    for number in range(5):
        client.add(f"note {number} " + "word " * 30)
    wait_for(home, 6)
    with client.doc.transaction():
        while len(client.cells):
            del client.cells[0]
    wait_for(home, 0)
    server.process.kill()
    server.process.wait()
    earlier, last = documents(home)
    assert last.cells == ()
    assert len(earlier.cells) == 6
    assert "before most of it was removed" in earlier.trace.words


LOCAL = "--FileIdExtension.file_id_manager_class=jupyter_server_fileid.manager.LocalFileIdManager"


@pytest.mark.parametrize("server", [(LOCAL,)], indirect=True)
def test_moved_notebook_is_known_by_its_id(home: Home, server: Server) -> None:
    """A notebook moved behind Jupyter's back is named where it is now."""
    server.put("analysis.ipynb", "x = 1")
    Client(server, "analysis.ipynb")
    server.process.kill()
    server.process.wait()
    moved = home.work / "older" / "renamed.ipynb"
    moved.parent.mkdir()
    (home.work / "analysis.ipynb").rename(moved)
    scope = home.scope()
    [trace] = traces_of(FileIdFinder(), scope)
    names = FileIdFinder().read(trace, scope).names
    assert str(moved) in {name.name for name in names}
    assert all(name.file_id for name in names)


def test_other_notebooks_of_the_store_are_left_out(home: Home, server: Server) -> None:
    """One store holds all notebooks of a server; only the one you ask for is given."""
    for name in ("analysis.ipynb", "other.ipynb"):
        server.put(name, f"name = {name!r}")
        Client(server, name)
    server.process.kill()
    server.process.wait()
    [document] = documents(home)
    assert document.cells[0].source == "name = 'analysis.ipynb'"
    names = {trace.notebook for trace in traces_of(CollaborationFinder(), home.scope(None))}
    assert names == {str(home.work / "analysis.ipynb"), str(home.work / "other.ipynb")}


def test_document_is_named_by_itself_where_no_table_of_ids_is_left(
    home: Home, server: Server
) -> None:
    """Without Jupyter's table of file ids, the document's own path names the notebook."""
    server.put("analysis.ipynb", "x = 1")
    Client(server, "analysis.ipynb")
    server.process.kill()
    server.process.wait()
    [table] = home.path.rglob("file_id_manager.db")
    table.unlink()
    [document] = documents(home)
    assert document.cells[0].source == "x = 1"


def make_store(
    path: Path,
    updates: list[bytes],
    key: str = "json:notebook:one",
    begun_s: float = 1_700_000_000.0,
) -> None:
    """A store as an older pycrdt-store makes it, from updates of a client."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE yupdates (path TEXT NOT NULL, yupdate BLOB, metadata BLOB,"
            " timestamp REAL NOT NULL)"
        )
        for number, update in enumerate(updates):
            row = (key, update, None, begun_s + number)
            database.execute("INSERT INTO yupdates VALUES (?, ?, ?, ?)", row)


def test_what_was_dated_ahead_is_not_above_a_newer_file(home: Home) -> None:
    """The clock was set right after you had worked together: the file that was saved since is the
    newest."""
    ahead_s = clock.now_ns() / 1e9 + 5 * 86_400
    make_store(home.work / ".jupyter_ystore.db", typed(4), begun_s=ahead_s)
    (home.work / "analysis.ipynb").write_text(notebook_text("a = 1", "newest = 2"))
    found = recover(home.scope())
    assert isinstance(found, Recovery)
    assert [each.cell.source for each in found.rebuilt.cells] == ["a = 1", "newest = 2"]


def typed(count: int) -> list[bytes]:
    """The updates of a client that adds cells one after the other."""
    doc: Any = pycrdt.Doc()
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    state = doc.get("state", type=pycrdt.Map)
    state["path"] = "analysis.ipynb"
    cells = doc.get("cells", type=pycrdt.Array)
    for number in range(count):
        cell = {"id": f"c{number}", "cell_type": "code", "metadata": pycrdt.Map({})}
        parts = {"source": pycrdt.Text(f"x = {number}"), "outputs": pycrdt.Array([])}
        cells.append(pycrdt.Map({**cell, **parts, "execution_count": float(number)}))
    return updates


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff" * 40, b"\1\2\3", random.Random(64).randbytes(64)],
    ids=["nothing", "ones", "short", "noise"],
)
def test_update_that_does_not_read_is_told_and_costs_what_follows_from_it(
    home: Home, garbage: bytes
) -> None:
    """Damaged updates are counted in the report; cells before them are whole."""
    updates = typed(6)
    updates[4] = garbage
    make_store(home.work / ".jupyter_ystore.db", updates)
    scope = home.scope()
    [trace] = traces_of(CollaborationFinder(), scope)
    evidence = CollaborationFinder().read(trace, scope)
    [document] = evidence.documents
    sources = [cell.source for cell in document.cells]
    assert sources == [f"x = {number}" for number in range(len(sources))]
    assert len(sources) >= 3
    assert document.cells[0].execution_count == 0


def test_store_set_aside_by_an_older_version_is_read(home: Home) -> None:
    """A store that a new version moved out of the way, `(1)`, is looked at too."""
    make_store(home.work / ".jupyter_ystore(1).db", typed(2))
    [document] = documents(home)
    assert [cell.source for cell in document.cells] == ["x = 0", "x = 1"]


def test_store_that_is_no_database_is_a_problem(home: Home) -> None:
    """A store that cannot be read is named, with what is wrong."""
    (home.work / ".jupyter_ystore.db").write_bytes(b"nonsense " * 1000)
    traces, problems = look_with(CollaborationFinder(), home.scope())
    assert traces == []
    assert isinstance(problems[0], Problem)
    assert "cannot be read" in problems[0].words


@pytest.mark.parametrize("how", ["header", "first page"])
def test_store_whose_head_is_lost_gives_all_its_updates(home: Home, how: str) -> None:
    """The first bytes of the store are zeros: what you typed is in its pages, and comes back."""
    store = home.work / ".jupyter_ystore.db"
    make_store(store, typed(6))
    raw = store.read_bytes()
    lost = 100 if how == "header" else 4096
    store.write_bytes(bytes(lost) + raw[lost:])
    document, problems = salvaged(home)
    assert [cell.source for cell in document.cells] == [f"x = {number}" for number in range(6)]
    assert problems == [
        "The store is damaged (file is not a database): 7 updates were read from the pages that are"
        " whole."
    ]


@pytest.mark.parametrize("how", ["cut off", "a page"])
def test_store_that_is_hurt_in_the_middle_gives_what_lies_before(home: Home, how: str) -> None:
    """An index still lists updates that are gone: those that are there come back, as a part."""
    store = home.work / ".jupyter_ystore.db"
    make_store(store, typed(120))
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("CREATE INDEX by_time ON yupdates (path, timestamp)")
        [[root]] = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'by_time'")
    raw = store.read_bytes()
    page = 4096 * (root - 2)  # the last page of updates lies before the index
    behind = b"" if how == "cut off" else b"\x07" * 4096 + raw[page + 4096 :]
    store.write_bytes(raw[:page] + behind)
    document, problems = salvaged(home)
    sources = [cell.source for cell in document.cells]
    assert sources == [f"x = {number}" for number in range(len(sources))]
    assert 50 < len(sources) < 120
    assert problems[0].startswith("The store is damaged (database disk image is malformed)")


def test_updates_are_played_in_the_order_in_which_they_were_made(home: Home) -> None:
    """A store that was emptied once numbers its rows anew: time says which came later."""
    store = home.work / ".jupyter_ystore.db"
    make_store(store, typed(3))
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("UPDATE yupdates SET rowid = 100 - rowid")
    raw = store.read_bytes()
    store.write_bytes(bytes(100) + raw[100:])
    copy = copy_store(store, home.path / "scratch")
    times = [each.time_ns for each in read_updates(copy.path, "json:notebook:one")]
    assert times == sorted(times)
    assert len(times) == 4


def test_updates_that_were_put_together_are_kept_in_their_place(home: Home) -> None:
    """What a store made one of many changes is a row of another table: it reads, too."""
    store = home.work / ".jupyter_ystore.db"
    make_store(store, [b"behind"], key="one")
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("CREATE TABLE ycheckpoints (path TEXT, checkpoint BLOB, timestamp REAL)")
        database.execute("INSERT INTO ycheckpoints VALUES ('one', ?, 9.25)", (b"before",))
    raw = store.read_bytes()
    store.write_bytes(bytes(100) + raw[100:])
    copy = copy_store(store, home.path / "scratch")
    assert [each.data for each in read_updates(copy.path, "one")] == [b"before", b"behind"]


def test_damaged_store_without_the_notebook_is_a_problem(home: Home) -> None:
    """All that still reads is another document's: that is told, and is no proof that none was."""
    store = home.work / ".jupyter_ystore.db"
    make_store(store, typed(2), key="text:file:one")
    raw = store.read_bytes()
    store.write_bytes(bytes(100) + raw[100:])
    traces, problems = look_with(CollaborationFinder(), home.scope())
    assert traces == []
    assert "None of them is of what was looked for" in problems[0].words


def salvaged(home: Home) -> tuple[FoundDocument, list[str]]:
    """The one document of a damaged store, and what is said of it."""
    [trace] = traces_of(CollaborationFinder(), home.scope())
    assert trace.problem is not None
    evidence = CollaborationFinder().read(trace, home.scope())
    [document] = evidence.documents
    assert not document.complete
    return document, [each.words for each in evidence.problems]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_updates_are_played_within_bounds(home: Home, seed: int) -> None:
    """Whatever damage makes of the updates: an answer or a problem, and no fault of ours."""
    chance = random.Random(seed)
    updates = typed(8)
    for _ in range(3):
        place = chance.randrange(len(updates))
        data = bytearray(updates[place])
        at = chance.randrange(len(data) + 1)
        data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(9))
        updates[place] = bytes(data)
    store = home.path / "store.db"
    make_store(store, updates)
    try:
        played = play_apart(store, "json:notebook:one")
    except Format as error:
        assert "damaged" in error.message
        return
    assert played.lost <= len(updates)


def test_file_of_the_folder_is_not_imported_while_playing(home: Home) -> None:
    """A `json.py` that lies where you work is not run by looking for what was lost."""
    make_store(home.work / ".jupyter_ystore.db", typed(2))
    (home.work / "json.py").write_text("raise SystemExit('run!')")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home.work)
        [document] = documents(home)
    assert len(document.cells) == 2
