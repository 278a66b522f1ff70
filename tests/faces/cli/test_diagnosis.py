"""doctor and the servers it asks."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli.conftest import COMMAND, FIRST, Rewind

FAILING = {
    "state": "failing",
    "store": {
        "path": "/s",
        "open": True,
        "error": {"message": "It is full.", "hint": "Free some."},
    },
    "last_failure": "Could not keep a checkpoint of a.ipynb: it is full.",
    "notices": [],
}


class _Answer(BaseHTTPRequestHandler):
    asked: list[tuple[str, str | None]]
    redirects = False

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        if self.redirects and self.path != "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(FAILING).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(home: Path) -> Iterator[type[_Answer]]:
    """A server of the user's, by its runtime file, that answers with `FAILING`."""
    kind = type("Answer", (_Answer,), {"asked": []})
    served = HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    (home / "runtime").mkdir()
    url = f"http://127.0.0.1:{served.server_port}/"
    facts = {"url": url, "pid": os.getpid(), "token": "secret"}
    (home / "runtime" / "jpserver-1.json").write_text(json.dumps(facts))
    yield kind
    served.shutdown()
    thread.join()
    served.server_close()


def _told(rewind: Rewind) -> dict[str, Any]:
    findings = rewind("doctor", "--json").data["findings"]
    found: dict[str, Any] = next(each for each in findings if each["name"] == "running servers")
    return found


def test_doctor_tells_of_a_server_whose_checkpoints_fail(
    server: type[_Answer], rewind: Rewind
) -> None:
    """A server that cannot store what is saved is a problem, with its reason and what helps."""
    found = _told(rewind)
    assert found["state"] == "problem"
    assert "It is full." in found["text"]
    assert found["mend"] == "Free some."


def test_doctor_gives_the_token_to_nobody_else(server: type[_Answer], rewind: Rewind) -> None:
    """Where a server answers with a redirect, the token does not go there."""
    server.redirects = True
    found = _told(rewind)
    assert [path for path, _ in server.asked] == ["/rewind/api/v1/health"]
    assert found["state"] == "note"


@pytest.mark.parametrize("hurt", ["key", "config", "segments"])
def test_a_store_that_no_command_can_open_is_a_problem(
    hurt: str, home: Path, rewind: Rewind
) -> None:
    """What every other command says of it, doctor says too."""
    Path("a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert rewind("checkpoint", "a.ipynb").status == 0
    store = home / "data" / "rewind"
    if hurt == "key":
        [key] = (home / "config" / "rewind-keys").iterdir()
        key.write_bytes(bytes(32))
    elif hurt == "config":
        (store / "config").unlink()
    else:
        shutil.rmtree(store / "segments")
    told = rewind("history", "a.ipynb")
    assert told.status in (5, 6)
    found = rewind("doctor", "--json").data["findings"]
    [problem] = [each for each in found if each["name"] == "store"]
    assert problem["state"] == "problem"
    assert problem["text"] in told.err


@pytest.mark.parametrize("where", ["file", "below a file", "/proc/nonesuch"])
def test_a_store_that_cannot_be_made_is_a_problem(work: Path, rewind: Rewind, where: str) -> None:
    """A file in the way, or a file system that takes nothing: why, and how to set another place."""
    if where.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    (work / "file").write_text("in the way")
    (work / "a.ipynb").write_bytes(FIRST)
    place = {"file": work / "file", "below a file": work / "file" / "store"}.get(where, where)
    found = rewind("doctor", "--store", place, "--json").data["findings"]
    [told] = [each for each in found if each["name"] in ("store", "store writable", "free space")]
    assert (told["name"], told["state"]) == ("store", "problem")
    assert "cannot be made" in told["text"]
    assert told["mend"] == "jupyter rewind config set store.path /another/folder"
    ended = rewind("checkpoint", "a.ipynb", "--store", place)
    assert ended.status == 6
    assert f"No store can be made at {place}" in ended.err
    assert "notebooks were not touched" in ended.err
    assert sorted(each.name for each in work.iterdir()) == ["a.ipynb", "file"]
    there = work / "elsewhere"
    assert rewind("config", "set", "store.path", there).status == 0
    assert rewind("checkpoint", "a.ipynb").status == 0


def test_a_key_that_cannot_be_kept_is_a_problem_of_its_own(
    work: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another place for the store would not help; the command that is told does."""
    (work / "file").write_text("in the way")
    (work / "a.ipynb").write_bytes(FIRST)
    name = "JUPYTER_REWIND_STORE_KEY_FOLDER"
    keys = work / "file" / "keys"
    monkeypatch.setenv(name, str(keys))
    way = f"export {name}=/another/folder-for-keys"
    found = rewind("doctor", "--json").data["findings"]
    [told] = [each for each in found if each["name"] in ("store", "key")]
    assert (told["name"], told["state"], told["mend"]) == ("key", "problem", way)
    assert str(work / "file") in told["text"]
    ended = rewind("checkpoint", "a.ipynb")
    assert ended.status == 6
    assert f"cannot be kept in {keys}" in ended.err
    assert f"`{way}`" in ended.err
    monkeypatch.setenv(name, str(work.parent / "keys"))
    assert rewind("checkpoint", "a.ipynb").status == 0


def test_doctor_names_what_a_killed_restore_left(work: Path, rewind: Rewind) -> None:
    """With the command that removes what is stopped for sure; what may be in use is left alone."""
    assert "left-overs" not in rewind("doctor").out
    name = ".a b.ipynb.0123456789abcdef.rewind-tmp"
    fresh = ".c.ipynb.0123456789abcdef.rewind-tmp"
    for each in (name, fresh):
        (work / each).write_bytes(b"bytes")
    days_ago = time.time() - 2 * 86_400
    os.utime(work / name, (days_ago, days_ago))
    findings = rewind("doctor", "--json").data["findings"]
    stopped, running = [each for each in findings if each["name"] == "left-overs"]
    assert name in stopped["text"] and fresh not in stopped["text"]
    assert stopped["mend"] == f"rm -- '{name}'"
    assert fresh in running["text"] and "may be running now" in running["text"]
    assert not running["mend"]


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv, which takes rights away")
@pytest.mark.parametrize("closed", ["store", "above"])
def test_a_store_that_nobody_lets_us_read_is_not_called_missing(
    book: Path, home: Path, closed: str
) -> None:
    """It is there: the words say so and what opens it, and propose no new one elsewhere."""
    store = home / "data" / "rewind"
    folder = store if closed == "store" else store.parent
    lesser = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    folder.chmod(0)
    try:
        ended = {
            word: subprocess.run(
                [*lesser, *COMMAND, *word.split()], capture_output=True, timeout=60, check=False
            )
            for word in (f"history {book.name}", f"checkpoint {book.name}", "verify", "doctor")
        }
    finally:
        folder.chmod(0o700)
    told = "is there and cannot be read" if closed == "store" else "cannot be seen"
    looked = ended.pop("doctor")
    assert looked.returncode == 0, looked.stderr
    assert told in looked.stdout.decode()
    # Another place for a store that is whole would be no way to what it holds.
    assert "config set store.path" not in looked.stdout.decode()
    assert "cannot be made" not in looked.stdout.decode()
    for each in ended.values():
        assert each.returncode == 6, each.stderr
        assert told in each.stderr.decode()
        assert "No store can be made" not in each.stderr.decode()


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv, which takes rights away")
def test_a_store_that_lost_its_right_to_be_written_gets_it_back(book: Path, home: Path) -> None:
    """By the command that doctor names: a store elsewhere would leave its histories behind."""
    store = home / "data" / "rewind"
    lesser = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    store.chmod(0o500)
    try:
        done = subprocess.run(
            [*lesser, *COMMAND, "doctor", "--json"], capture_output=True, timeout=60, check=False
        )
        [told] = [
            each
            for each in json.loads(done.stdout)["data"]["findings"]
            if each["name"] == "store writable"
        ]
        assert told["state"] == "problem"
        subprocess.run(shlex.split(told["mend"]), check=True)
        assert store.stat().st_mode & 0o700 == 0o700
    finally:
        store.chmod(0o700)


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv, which takes rights away")
def test_a_key_that_may_not_be_read_is_opened_by_the_command_that_doctor_names(
    book: Path, home: Path
) -> None:
    """It is there: no backup is needed, and no store without it."""
    [key] = (home / "config" / "rewind-keys").iterdir()
    lesser = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

    def run(*words: str) -> subprocess.CompletedProcess[bytes]:
        command = [*lesser, *COMMAND, *words]
        return subprocess.run(command, capture_output=True, timeout=180, check=False)

    key.chmod(0)
    salvaged, looked = run("salvage"), run("doctor", "--json")
    assert salvaged.returncode == 6
    assert f"Could not read the key {key}" in salvaged.stderr.decode()
    assert "trust-foreign" not in salvaged.stderr.decode()
    found = json.loads(looked.stdout)["data"]["findings"]
    mends = {each["mend"] for each in found if each["name"] in ("store", "key")}
    assert mends == {f"chmod u+rw {key}"}
    subprocess.run(mends.pop(), shell=True, check=True)
    assert run("history", book.name).returncode == 0


def test_doctor_in_a_folder_that_was_removed_finds_no_fault_with_it(
    home: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = home / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    before = rewind("doctor", "--json").data["findings"]
    gone.rmdir()
    found = rewind("doctor", "--json").data["findings"]
    problems = [each for each in found if each["state"] == "problem"]
    assert problems == [each for each in before if each["state"] == "problem"]
    [told] = [each for each in found if each["name"] == "left-overs"]
    assert "was removed" in told["text"]


def test_no_key_is_made_inside_the_store_and_one_that_is_there_is_a_problem(
    work: Path, home: Path, rewind: Rewind
) -> None:
    """Whoever copied the store would have what opens it."""
    (work / "a.ipynb").write_bytes(FIRST)
    store, inside = home / "data" / "rewind", home / "data" / "rewind" / "keys"
    ended = rewind("checkpoint", "a.ipynb", "--set", f"store.key_folder={inside}")
    assert ended.status == 2
    assert "inside the store" in ended.err
    assert not store.exists()
    assert rewind("checkpoint", "a.ipynb").status == 0
    (home / "config" / "rewind-keys").rename(inside)
    assert rewind("config", "set", "store.key_folder", inside).status == 0
    assert rewind("history", "a.ipynb").status == 0
    found = {each["name"]: each for each in rewind("doctor", "--json").data["findings"]}
    assert found["key"]["state"] == "problem"
    assert "inside the store" in found["key"]["text"]
    for command in found["key"]["mend"].split(" && "):
        words = command.split()
        if words[:2] == ["jupyter", "rewind"]:
            assert rewind(*words[2:]).status == 0
        else:
            subprocess.run(words, check=True)
    assert rewind("history", "a.ipynb").status == 0
    found = {each["name"]: each for each in rewind("doctor", "--json").data["findings"]}
    assert found["key"]["state"] == "on"


def test_a_file_in_the_place_of_a_store_is_no_missing_store(work: Path, rewind: Rewind) -> None:
    """Commands that look say that a file is there, and not that a store will be made."""
    (work / "a.ipynb").write_bytes(FIRST)
    (work / "file").write_text("mine")
    for words in (["history", "a.ipynb"], ["verify"], ["stats"]):
        ended = rewind(*words, "--store", work / "file")
        assert ended.status == 6
        assert "is a file, not the folder of a store" in ended.err
    assert (work / "file").read_text() == "mine"


def test_a_file_in_the_place_of_segments_is_damage(book: Path, home: Path, rewind: Rewind) -> None:
    """Verify ends as it does for other damage, and says what is wrong."""
    segments = home / "data" / "rewind" / "segments"
    aside = segments.rename(home / "aside")
    segments.write_text("")
    for words in (["verify"], ["history", book]):
        ended = rewind(*words)
        assert ended.status == 5
        assert "its folder `segments` is a file" in ended.err
    segments.unlink()
    aside.rename(segments)
    assert rewind("verify").status == 0


def test_a_notebook_that_the_index_is_to_lie_in_stays_and_doctor_says_where_the_index_lies(
    book: Path, rewind: Rewind
) -> None:
    """Whoever has given the wrong name loses nothing by it, and is told."""
    before, setting = book.read_bytes(), ("--set", f"store.index_path={book}")
    assert rewind(*setting, "history", book, "--json").data["checkpoints"]
    findings = rewind(*setting, "doctor", "--json").data["findings"]
    (told,) = (each["text"] for each in findings if each["name"] == "index")
    assert f"{book} is no index of this store" in told
    assert Path(told.split(", for ")[0]).is_file()
    assert book.read_bytes() == before
