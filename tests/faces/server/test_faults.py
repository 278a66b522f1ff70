"""When the store does not work, is busy, or a name cannot be said: what the server tells."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.errors import Full, Integrity, Newer
from jupyter_rewind.faces.server import reading
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.locks import FileLock
from jupyter_rewind.workspace import Workspace
from tests.faces.server.support import Client, eventually, notebook, written
from tests.faces.server.test_rest import check
from tests.support.stores import refuse_to_open

SERVICES = "jupyter_server.services.contents"
HALF = "\ud83d"


async def test_health_is_failing_while_no_checkpoint_can_be_made(
    client: Client, monkeypatch: Any
) -> None:
    """After a checkpoint that could not be stored health says so, until the next one is."""
    await client.put("a.ipynb", notebook("x = 0"))
    await client.checkpoints("a.ipynb")
    store = Histories.record

    def record(*args: Any, **kwargs: Any) -> Any:
        raise Full("The disk is full.", hint="Free some space.")

    monkeypatch.setattr(Histories, "record", record)
    await client.put("a.ipynb", notebook("x = 1"))
    assert len(await client.checkpoints("a.ipynb")) == 1
    _, health = await client.rewind("GET", "health")
    assert (health["state"], health["keeps"]) == ("failing", False)
    assert health["store"]["error"]["message"] == "The disk is full."
    assert str(client.root) not in health["last_failure"]
    monkeypatch.setattr(Histories, "record", store)
    await client.put("a.ipynb", notebook("x = 2"))
    # The state that failed lay on disk all the time, and is kept before it is overwritten.
    assert len(await client.checkpoints("a.ipynb")) == 3
    _, health = await client.rewind("GET", "health")
    assert (health["state"], health["keeps"], health["store"]["error"]) == ("ok", True, None)


@pytest.mark.parametrize("kind", ["AsyncFileContentsManager", "FileContentsManager"])
@pytest.mark.parametrize(
    "fault",
    [
        Integrity("No checkpoint can be read.", hint="Ask 'jupyter rewind verify'."),
        Full("The disk is full.", hint="Free some space."),
        Newer("A newer Rewind wrote this store.", hint="Install it."),
        ValueError("never seen"),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_notebook_opens_and_saves_though_its_checkpoints_cannot_be_had(
    jp_configurable_serverapp: Any, jp_fetch: Any, monkeypatch: Any, kind: str, fault: Exception
) -> None:
    """JupyterLab closes a document whose checkpoints it cannot list, and calls a save without one
    failed, unless the answer is 403."""
    server = jp_configurable_serverapp(contents_manager_class=f"{SERVICES}.filemanager.{kind}")
    client = Client(jp_fetch, server, Path(server.root_dir))
    await client.put("a.ipynb", notebook("x = 0"))

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise fault

    monkeypatch.setattr(Histories, "listing", fail)
    monkeypatch.setattr(Histories, "record", fail)
    for method in ("GET", "POST"):
        status, body = await client.ask(method, "api/contents", "a.ipynb", "checkpoints")
        assert status == 403
        assert str(fault.args[0]) in body["message"]
    assert (await client.put("a.ipynb", notebook("x = 1")))[0] == 200
    assert (await client.ask("POST", "api/contents", "none.ipynb", "checkpoints"))[0] == 404


@pytest.mark.parametrize("kind", ["AsyncFileContentsManager", "FileContentsManager"])
@pytest.mark.parametrize("broken", ["import", "lock"])
async def test_a_save_goes_well_though_a_part_of_us_is_broken(
    jp_configurable_serverapp: Any, jp_fetch: Any, monkeypatch: Any, kind: str, broken: str
) -> None:
    """A wheel for another system, an upgrade that was cut short: the work is saved, and health
    says that no checkpoint was made of it."""
    server = jp_configurable_serverapp(contents_manager_class=f"{SERVICES}.filemanager.{kind}")
    client = Client(jp_fetch, server, Path(server.root_dir))
    await client.put("a.ipynb", notebook("x = 0"))
    assert len(await client.checkpoints("a.ipynb")) == 1

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ImportError("no portalocker here")

    with monkeypatch.context() as patch:
        if broken == "import":
            patch.setitem(sys.modules, "jupyter_rewind.workspace", None)
        else:
            patch.setattr(FileLock, "try_acquire", fail)
            patch.setattr(FileLock, "acquire", fail)
        saved = notebook("x = 1")
        assert (await client.put("a.ipynb", saved))[0] == 200
        assert client.file("a.ipynb").read_bytes() == written(saved)
        assert (await client.put_text("t.txt", "text"))[0] == 201
        await eventually(lambda: not client.service.recorder.queued)
        _, health = await client.rewind("GET", "health")
        assert health["last_failure"]
        if broken == "lock":
            assert (health["state"], health["keeps"]) == ("failing", False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.parametrize("kind", ["pipe", "device"])
async def test_what_has_no_end_in_the_place_of_a_notebook_holds_nothing_up(
    client: Client, kind: str
) -> None:
    """A pipe that nobody writes to, a link to /dev/zero: other notebooks are kept and listed."""
    await client.put("a.ipynb", notebook("x = 0"))
    if kind == "pipe":
        os.mkfifo(client.file("odd.ipynb"))
    else:
        client.file("odd.ipynb").symlink_to("/dev/zero")
    for _ in range(3):
        await client.rewind("GET", "history", path="odd.ipynb")
        status, _ = await client.ask("POST", "api/contents", "odd.ipynb", "checkpoints")
        assert status >= 400
    await client.put("a.ipynb", notebook("x = 1"))
    assert len(await client.checkpoints("a.ipynb")) == 2


async def test_a_link_that_leads_to_itself_is_told_in_words(client: Client) -> None:
    """In the place of a notebook with a history: neither is it missing, nor is it our fault."""
    await client.put("a.ipynb", notebook("x = 0"))
    await client.checkpoints("a.ipynb")
    client.file("a.ipynb").unlink()
    client.file("a.ipynb").symlink_to("a.ipynb")
    for method, noun, asked in (
        ("GET", "history", {"path": "a.ipynb"}),
        ("GET", "diff", {"path": "a.ipynb", "base": "head"}),
        ("POST", "restore", {}),
    ):
        body = {"path": "a.ipynb", "ref": "head"} if method == "POST" else None
        status, told = await client.rewind(method, noun, body=body, **asked)
        assert status == 503, told
        assert "a.ipynb cannot be looked at" in told["message"]


async def test_a_file_that_may_not_be_read_is_told_in_words(
    client: Client, monkeypatch: Any
) -> None:
    """Its history is listed, and what is asked of the file itself is refused."""
    await client.put("a.ipynb", notebook("x = 0"))
    await client.checkpoints("a.ipynb")

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(reading, "_open_at_once", refuse)
    status, told = await client.rewind("GET", "history", path="a.ipynb")
    assert (status, told["count"]) == (200, 1)
    assert "cannot be read" in told["condition"]["words"]
    status, told = await client.rewind("GET", "diff", path="a.ipynb", base="head")
    assert status == 403 and "a.ipynb cannot be read" in told["message"]


@pytest.mark.parametrize("noun", ["", "nothing", "checkpoint/x", "../v1/nothing?a=b"])
async def test_an_unknown_address_is_answered_in_our_words(client: Client, noun: str) -> None:
    """A program that mistypes an address gets the body that every failure has."""
    for method in ("GET", "POST"):
        status, body = await client.rewind(method, noun, body={} if method == "POST" else None)
        assert (status, body["code"]) == (404, "not_found")
        assert "openapi.yaml" in body["hint"]


async def test_what_makes_no_sense_is_no_fault_of_the_store(client: Client) -> None:
    """A label that is refused does not make health fail."""
    await client.put("a.ipynb", notebook("x = 0"))
    body = {"path": "a.ipynb", "label": "head"}
    assert (await client.rewind("POST", "checkpoint", body=body))[0] == 400
    assert (await client.rewind("GET", "health"))[1]["state"] == "ok"


@pytest.mark.parametrize("kind", ["AsyncFileContentsManager", "FileContentsManager"])
async def test_a_list_does_not_wait_for_a_busy_store(
    jp_configurable_serverapp: Any, jp_fetch: Any, patience: Callable[[float], None], kind: str
) -> None:
    """While another process keeps the store to itself, lists show what is there already."""
    patience(0.2)
    server = jp_configurable_serverapp(contents_manager_class=f"{SERVICES}.filemanager.{kind}")
    client = Client(jp_fetch, server, Path(server.root_dir))
    await client.put("a.ipynb", notebook("x = 0"))
    await eventually(lambda: not client.service.recorder.queued)
    assert len(await client.checkpoints("a.ipynb")) == 1
    lock = FileLock(Path(client.service.settings.store_path) / "locks" / "collect")
    lock.acquire(exclusive=True, timeout_seconds=5, doing="test")
    try:
        await client.put("a.ipynb", notebook("x = 1"))
        assert len(await client.checkpoints("a.ipynb")) == 1
        assert (await client.rewind("GET", "history", path="a.ipynb"))[1]["count"] == 1
        assert client.service.recorder.queued == 1, "the save still waits"
    finally:
        lock.release()
    patience(60.0)
    assert len(await client.checkpoints("a.ipynb")) == 2


async def test_half_a_surrogate_pair_in_a_cell_is_shown(client: Client) -> None:
    """A notebook with text that UTF-8 cannot say is shown and searched like any other."""
    raw = json.dumps(notebook(f"x = '{HALF}'")).encode()
    client.file("a.ipynb").write_bytes(raw)
    assert (await client.rewind("POST", "checkpoint", body={"path": "a.ipynb"}))[0] == 201
    status, found = await client.rewind("GET", "content", path="a.ipynb", ref="head")
    assert status == 200, found
    assert HALF in "".join(found["content"]["cells"][0]["source"])
    status, found = await client.rewind("GET", "search", path="a.ipynb", text="x = ")
    assert status == 200, found
    assert HALF in found["hits"][0]["text"]


async def test_a_deleted_file_with_a_name_that_is_not_utf_8_is_listed(client: Client) -> None:
    """One odd name does not hide the deleted files; and the file comes back."""
    name = os.fsdecode(b"\xff.ipynb")
    (client.root / name).write_bytes(written(notebook("x = 1")))
    body = {"path": name}
    assert (await client.rewind("POST", "checkpoint", body=body))[0] == 201
    (client.root / name).unlink()
    file = str(client.root / name)
    client.service.recorder.submit(lambda workspace: workspace.histories.delete(file)).result(60)
    status, answer = await client.rewind("GET", "deleted")
    assert status == 200, answer
    assert [each["path"] for each in answer["deleted"]] == [name]
    status, answer = await client.rewind("POST", "restore", body={"path": name, "ref": "head"})
    assert (status, answer["path"]) == (200, name)


async def test_half_a_surrogate_pair_in_a_request_is_refused_in_words(client: Client) -> None:
    """In a ref it is not found, in a path it names no file; never an empty answer."""
    await client.put("a.ipynb", notebook("x = 1"))
    body = {"path": "a.ipynb", "ref": HALF}
    status, answer = await client.rewind("POST", "restore", body=body)
    assert status in (400, 404)
    assert answer["message"]
    status, answer = await client.rewind("POST", "checkpoint", body={"path": f"{HALF}.ipynb"})
    assert status == 400
    assert answer["message"]


async def test_events_tell_of_names_that_are_not_utf_8(client: Client) -> None:
    """Listeners hear of a file with an odd name; what they hear can be sent as JSON."""
    heard: list[str] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.append(json.dumps(data))

    client.server.event_logger.add_listener(
        schema_id="https://schema.jupyter.org/jupyter_rewind/checkpoint/v1", listener=listen
    )
    name = os.fsdecode(b"\xff.ipynb")
    (client.root / name).write_bytes(written(notebook("x = 1")))
    assert (await client.rewind("POST", "checkpoint", body={"path": name}))[0] == 201
    assert [json.loads(each)["path"] for each in heard] == [name]
    assert heard[0].isascii()


async def test_numbers_and_bodies_without_measure_are_refused(client: Client) -> None:
    """Thousands of digits, or of brackets, are the caller's mistake and told in words."""
    await client.put("a.ipynb", notebook("x = 1"))
    status, answer = await client.rewind("GET", "history", path="a.ipynb", limit="9" * 5000)
    assert (status, answer["code"]) == (400, "invalid_input")
    body = "[" * 100_000
    response = await client.fetch(
        "rewind/api/v1", "restore", method="POST", body=body, raise_error=False
    )
    assert response.code == 400


async def test_the_history_of_a_file_outside_the_served_folder_is_not_undeleted(
    client: Client, tmp_path: Path
) -> None:
    """For whoever may see the served folder alone, it is not there."""
    file = str(tmp_path / "outside.ipynb")
    act: Callable[[Any], Any] = lambda space: space.histories.record(  # noqa: E731
        file, written(notebook("x = 1")), reason=Reason.SAVE
    )
    kept = client.service.recorder.submit(act).result(60)
    body = {"history": str(kept.checkpoint.history)}
    status, answer = await client.rewind("POST", "undelete", body=body)
    assert (status, answer["code"]) == (404, "not_found")


async def test_no_list_is_empty_because_the_store_may_not_be_read(
    client: Client, tmp_path: Path, monkeypatch: Any
) -> None:
    """Of a notebook whose history may stand where another user wrote, nobody says that it has
    none; others are listed and kept."""
    await client.put("a.ipynb", notebook("x = 0"))
    assert len(await client.checkpoints("a.ipynb")) == 1
    of_another_user = tmp_path / "store" / "segments" / ("0" * 16)
    of_another_user.write_bytes(b"histories")
    refuse_to_open(of_another_user, monkeypatch)
    client.file("b.ipynb").write_bytes(written(notebook("x = 1")))
    status, told = await client.ask("GET", "api/contents", "b.ipynb", "checkpoints")
    assert status == 403 and "sudo chown" in told["message"]
    for noun, options in (("history", {"path": "a.ipynb"}), ("deleted", {})):
        status, shorter = await client.rewind("GET", noun, **options)
        check("GET", noun, status, shorter)
        assert [of_another_user.name in words for words in shorter["incomplete"]] == [True]
    await client.put("a.ipynb", notebook("x = 2"))
    assert len(await client.checkpoints("a.ipynb")) == 2


async def test_lists_show_nothing_that_the_server_hides(client: Client) -> None:
    """A notebook in a hidden folder is in no list, as any other question about it is a 404."""
    file = str(client.root / ".secret" / "a.ipynb")
    act: Callable[[Any], Any] = lambda space: space.histories.record(  # noqa: E731
        file, written(notebook("x = 1")), reason=Reason.SAVE
    )
    client.service.recorder.submit(act).result(60)
    assert (await client.rewind("GET", "deleted"))[1]["deleted"] == []
    _, stats = await client.rewind("GET", "stats", notebooks="true")
    assert (stats["notebooks"], stats["elsewhere"]) == ([], 1)
    client.server.contents_manager.allow_hidden = True
    assert len((await client.rewind("GET", "deleted"))[1]["deleted"]) == 1


@pytest.mark.parametrize("noun", ["history", "checkpoint"])
async def test_a_path_longer_than_any_file_is_refused(client: Client, noun: str) -> None:
    """A path of five thousand letters is the caller's mistake and told in words."""
    status, answer = await client.rewind("GET", noun, path="x" * 5000, ref="head")
    assert (status, answer["code"]) == (400, "invalid_input")
    assert "longer" in answer["message"]


async def test_messages_name_files_by_their_api_path(client: Client) -> None:
    """Where the served folder lies on the server is not the client's business."""
    await client.put("d.ipynb", notebook("x = 1"))
    for path, ref in (("nothing.ipynb", "head"), ("d.ipynb", "zzzz")):
        _, answer = await client.rewind("GET", "checkpoint", path=path, ref=ref)
        assert str(client.root) not in json.dumps(answer)
        status, answer = await client.restore(path, "zzzz")
        assert status == 404
        assert str(client.root) not in json.dumps(answer)


async def test_where_a_copy_came_from_is_told_inside_the_served_folder_only(
    client: Client, tmp_path: Path
) -> None:
    """Of a file from outside, clients learn that it came from elsewhere, not from where."""
    outside = tmp_path / "private" / "a.ipynb"
    outside.parent.mkdir()
    outside.write_bytes(written(notebook("x = 1")))
    copied, inside = str(client.root / "b.ipynb"), str(client.root / "c.ipynb")
    Path(copied).write_bytes(outside.read_bytes())
    Path(inside).write_bytes(outside.read_bytes())
    recorder = client.service.recorder

    def act(workspace: Any) -> None:
        workspace.histories.record(str(outside), outside.read_bytes(), reason=Reason.SAVE)
        workspace.histories.copy(str(outside), copied)
        workspace.histories.copy(copied, inside)

    recorder.submit(act).result(60)
    assert (await client.rewind("GET", "history", path="b.ipynb"))[1]["came_from"] == ""
    assert (await client.rewind("GET", "history", path="c.ipynb"))[1]["came_from"] == "b.ipynb"


async def test_a_store_that_was_made_anew_is_used_from_then_on(
    client: Client, tmp_path: Path
) -> None:
    """The old one was removed, and another process made a new one: no save is kept nowhere."""
    await client.put("a.ipynb", notebook("x = 0"))
    assert len(await client.checkpoints("a.ipynb")) == 1
    settings = client.service.settings
    # At once: what the server makes there meanwhile would keep the folder from being removed.
    gone = Path(settings.store_path).rename(tmp_path / "gone")
    shutil.rmtree(gone)
    with Workspace.open(settings):
        pass
    await client.put("a.ipynb", notebook("x = 1"))
    assert await client.reasons("a.ipynb") == ["save"]
    _, health = await client.rewind("GET", "health")
    assert health["state"] == "ok"
    with Workspace.open(settings, create=False) as workspace:
        [kept] = workspace.checkpoints(str(client.file("a.ipynb")))
        assert workspace.read(kept) == client.file("a.ipynb").read_bytes()
