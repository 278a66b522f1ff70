"""What stands in front of saves: refusals in words, and what would be lost is kept."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_core.utils import ensure_async

from jupyter_rewind.faces.server import calls, readings
from jupyter_rewind.workspace import Workspace
from tests.faces.server.support import BROWSER, Client, eventually, notebook, written


async def test_an_empty_notebook_does_not_replace_a_full_one(client: Client) -> None:
    """A save with no cells over a notebook with cells is refused in words; the file is whole."""
    await client.put("a.ipynb", notebook("x = 1"))
    before = client.file("a.ipynb").read_bytes()
    status, answer = await client.put("a.ipynb", notebook(), agent=BROWSER)
    assert status == 409
    assert "empty" in answer["message"]
    assert client.file("a.ipynb").read_bytes() == before


_AS_TEXT = [
    ("text", ""),
    ("text", " \n"),
    ("text", "\0" * 64),
    ("text", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'),
    ("text", "{}"),
    ("base64", ""),
    ("base64", "IAo="),
]


async def test_a_notebook_is_not_emptied_as_a_file_either(client: Client) -> None:
    """Nothing, blanks or JSON without cells, saved as text or bytes, do not replace a notebook."""
    await client.put("a.ipynb", notebook("x = 1"))
    before = client.file("a.ipynb").read_bytes()
    for form, content in _AS_TEXT:
        body = {"type": "file", "format": form, "content": content}
        status, answer = await client.ask("PUT", "api/contents", "a.ipynb", body=body)
        assert status == 409, (form, content)
        assert "empty" in answer["message"]
        assert client.file("a.ipynb").read_bytes() == before


async def test_a_notebook_is_not_emptied_piece_by_piece(client: Client) -> None:
    """Large files come in pieces: a first piece of nothing does not replace a notebook, one that
    goes on does."""
    await client.put("a.ipynb", notebook("x = 1"))
    before = client.file("a.ipynb").read_bytes()
    whole = written(notebook("x = 2")).decode()

    async def send(chunk: int, form: str, content: str) -> int:
        body = {"type": "file", "format": form, "content": content, "chunk": chunk}
        return (await client.ask("PUT", "api/contents", "a.ipynb", body=body))[0]

    for form, content in _AS_TEXT:
        assert await send(1, form, content) == 409, (form, content)
        assert client.file("a.ipynb").read_bytes() == before
    assert await send(1, "text", whole[:50]) == 200
    assert await send(2, "text", whole[50:90]) == 200
    assert await send(-1, "text", whole[90:]) == 200
    assert client.file("a.ipynb").read_text() == whole


async def test_a_notebook_may_be_edited_as_text(client: Client) -> None:
    """JSON that is broken half way through an edit is saved and kept, and so are cells."""
    await client.put("a.ipynb", notebook("x = 1"))
    whole = written(notebook("x = 2")).decode()
    for text in (whole[:-9], whole, "<<<<<<< HEAD\n" + whole):
        assert (await client.put_text("a.ipynb", text))[0] == 200
        assert client.file("a.ipynb").read_text() == text
        newest = (await client.checkpoints("a.ipynb"))[-1]["id"]
        assert await client.content("a.ipynb", newest) == text.encode()


async def test_a_file_that_is_no_notebook_may_be_emptied(client: Client) -> None:
    """Only what is named like a notebook is refused; a notebook without cells may be emptied."""
    for path, text in (("a.txt", "much"), ("a.json", '{"cells": [1]}')):
        assert (await client.put_text(path, text))[0] == 201
        assert (await client.put_text(path, ""))[0] == 200
        assert client.file(path).read_bytes() == b""
    await client.put("a.ipynb", notebook())
    assert (await client.put_text("a.ipynb", ""))[0] == 200


async def test_an_empty_notebook_replaces_an_empty_one(client: Client) -> None:
    """A new notebook without cells can be saved, again and again."""
    for _ in range(2):
        assert (await client.put("a.ipynb", notebook()))[0] in (200, 201)


@pytest.mark.parametrize("rewind_settings", [{"notebooks_refuse_empty": False}])
async def test_the_user_may_allow_empty_saves(client: Client) -> None:
    """With notebooks.refuse_empty off the empty save goes through, and the full state is kept."""
    await client.put("a.ipynb", notebook("x = 1"))
    assert (await client.put("a.ipynb", notebook()))[0] == 200
    assert len(await client.checkpoints("a.ipynb")) == 2


async def test_a_save_that_could_not_be_held_is_told(client: Client, monkeypatch: Any) -> None:
    """When too much waits to be stored to hold one save more, health says that it may be lost."""
    await client.put("a.ipynb", notebook("x = 0"))
    await client.checkpoints("a.ipynb")
    monkeypatch.setattr(readings, "HELD_LIMIT_BYTES", -1)
    go_on = threading.Event()
    client.service.recorder.submit(lambda _: go_on.wait(120))
    try:
        await client.put("a.ipynb", notebook("x = 1"))
        assert (await client.rewind("GET", "health"))[1]["failed"] == 0
        await client.put("a.ipynb", notebook("x = 2"))
        _, health = await client.rewind("GET", "health")
    finally:
        go_on.set()
    assert "a.ipynb" in health["last_failure"]
    assert "may not be kept" in health["last_failure"]


@pytest.mark.parametrize("manager", ["AsyncFileContentsManager", "FileContentsManager"])
async def test_a_rename_waits_until_the_save_before_it_is_read(
    jp_configurable_serverapp: Any, tmp_path: Path, manager: str
) -> None:
    """A file, or one in a folder, that is renamed right after its save keeps that save."""
    kind = f"jupyter_server.services.contents.filemanager.{manager}"
    server = jp_configurable_serverapp(contents_manager_class=kind)
    service = server._jupyter_rewind_service
    await eventually(lambda: service.is_started and service.recorder.opened)
    root = Path(server.root_dir)
    (root / "d").mkdir()
    asleep = threading.Event()
    for _ in range(readings.READERS):
        service.recorder.readings._readers.submit(asleep.wait, 120)
    done = service.recorder.submit(lambda _: asleep.wait(120))
    try:
        for old, moved, new in (("a.ipynb", "a.ipynb", "b.ipynb"), ("d/c.ipynb", "d", "e")):
            body = {"type": "notebook", "content": notebook(f"in {old}")}
            await ensure_async(server.contents_manager.save(body, old))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await ensure_async(server.contents_manager.rename(moved, new))
    finally:
        asleep.set()
    await asyncio.wrap_future(done)
    for name in ("b.ipynb", "e/c.ipynb"):
        found = await ensure_async(server.contents_manager.list_checkpoints(name))
        assert len(found) == 1, name


@pytest.mark.parametrize("manager", ["AsyncFileContentsManager", "FileContentsManager"])
async def test_what_was_saved_is_taken_before_the_answer(
    jp_configurable_serverapp: Any, tmp_path: Path, manager: str
) -> None:
    """A program that overwrites, empties or removes the file the moment the save is answered
    does not take that save with it."""
    kind = f"jupyter_server.services.contents.filemanager.{manager}"
    server = jp_configurable_serverapp(contents_manager_class=kind)
    service = server._jupyter_rewind_service
    await eventually(lambda: service.is_started)
    file = Path(server.root_dir) / "a.ipynb"
    saved = []
    for number in range(12):
        body = {"type": "notebook", "content": notebook(f"x = {number}")}
        await ensure_async(server.contents_manager.save(body, "a.ipynb"))
        saved.append(file.read_bytes())
        if number % 3 == 2:
            file.unlink()
        else:
            file.write_bytes(b"" if number % 3 else written(notebook(f"by git {number}")))
        await asyncio.sleep(0.01)
    await eventually(lambda: not service.recorder.queued)
    with Workspace.open(service.settings) as workspace:
        found = workspace.checkpoints(str(file))
        assert set(saved) <= {workspace.read(each) for each in found}


@pytest.mark.parametrize("end", ["deleted", "overwritten"])
async def test_what_is_saved_in_the_place_of_a_notebook_is_kept_whatever_it_is(
    client: Client, end: str
) -> None:
    """A merge by hand, say, that is deleted or written over before it is stored."""
    text = '<<<<<<< HEAD\n{"cells": ["two hours of merging by hand"]\n>>>>>>> branch\n'
    model = {"type": "file", "format": "text", "content": text}
    asleep = threading.Event()
    client.service.recorder.submit(lambda _: asleep.wait(120))
    try:
        status, _ = await client.ask("PUT", "api/contents", "a.ipynb", body=model)
        assert status < 300
        if end == "deleted":
            client.file("a.ipynb").unlink()
        else:
            client.file("a.ipynb").write_bytes(written(notebook("by git")))
    finally:
        asleep.set()
    await eventually(lambda: not client.service.recorder.queued)
    with Workspace.open(client.service.settings) as workspace:
        file = str(client.file("a.ipynb"))
        assert text.encode() in {workspace.read(each) for each in workspace.checkpoints(file)}


async def test_a_save_whose_bytes_cannot_be_taken_is_answered(
    client: Client, monkeypatch: Any
) -> None:
    """When reading back what was saved fails or hangs, the save succeeds all the same."""
    monkeypatch.setattr(calls, "_TAKE_SECONDS", 0.05)
    asleep = threading.Event()
    taking = client.service.recorder.readings
    monkeypatch.setattr(taking, "take_at_once", lambda _: False)
    monkeypatch.setattr(taking, "take", lambda _: taking._readers.submit(asleep.wait, 120))
    try:
        assert (await client.put("a.ipynb", notebook("x = 1")))[0] == 201
    finally:
        asleep.set()
    monkeypatch.setattr(taking, "open", lambda _: 1 / 0)
    assert (await client.put("a.ipynb", notebook("x = 2")))[0] == 200
    _, health = await client.rewind("GET", "health")
    assert "a.ipynb" in health["last_failure"]


async def test_small_files_on_disks_of_this_machine_need_no_reading_thread(
    client: Client, monkeypatch: Any
) -> None:
    """Once their folder is known; others are read apart, for they may hang. What a save writes
    through Jupyter's own code is not read at all."""
    client.server.contents_manager.__dict__.pop("atomic_writing")
    taking = client.service.recorder.readings
    taken: list[bool] = []
    at_once = taking.take_at_once
    monkeypatch.setattr(taking, "take_at_once", lambda one: taken.append(at_once(one)) or taken[-1])
    await client.put("a.ipynb", notebook("x = 1"))
    await eventually(lambda: bool(taking._is_local))
    known = set(taking._is_local.values()) == {True}
    await client.put("a.ipynb", notebook("x = 2"))
    monkeypatch.setattr(readings, "SMALL_BYTES", 10)
    await client.put("a.ipynb", notebook("x = 3"))
    assert taken == [False, known, False]
    assert len(await client.checkpoints("a.ipynb")) == 3


async def test_the_loser_of_an_overwrite_is_kept(client: Client) -> None:
    """What another program wrote is in the history before a save overwrites it."""
    await client.put("a.ipynb", notebook("x = 1"))
    loser = written(notebook("by git"))
    client.file("a.ipynb").write_bytes(loser)
    await client.put("a.ipynb", notebook("x = 3"))
    found = await client.checkpoints("a.ipynb")
    assert [each["reason"] for each in found] == ["save", "external-change", "save"]
    assert await client.content("a.ipynb", found[1]["id"]) == loser


async def test_what_lay_there_before_is_kept_at_the_first_save(client: Client) -> None:
    """A notebook that was there before Rewind is kept before its first save changes it."""
    raw = written(notebook("older than all"))
    client.file("a.ipynb").write_bytes(raw)
    await client.put("a.ipynb", notebook("x = 1"))
    first = (await client.checkpoints("a.ipynb"))[0]
    assert await client.content("a.ipynb", first["id"]) == raw


async def test_own_saves_are_not_taken_for_external_changes(client: Client) -> None:
    """Twenty saves in a row leave only saves in the history."""
    for number in range(20):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    assert set(await client.reasons("a.ipynb")) == {"save"}


@pytest.mark.parametrize("manager", ["AsyncFileContentsManager", "FileContentsManager"])
async def test_a_save_overwritten_before_it_ends_is_kept(
    jp_configurable_serverapp: Any, tmp_path: Path, manager: str
) -> None:
    """Another server saves the same notebook while ours is still on its way: both states are in
    the history, each byte for byte."""
    kind = f"jupyter_server.services.contents.filemanager.{manager}"
    server = jp_configurable_serverapp(contents_manager_class=kind)
    service = server._jupyter_rewind_service
    await eventually(lambda: service.is_started)
    file = Path(server.root_dir) / "a.ipynb"
    ours, theirs = written(notebook("größer = 1", "y")), written(notebook("x = 2"))
    check = server.contents_manager.validate_notebook_model
    server.contents_manager.validate_notebook_model = lambda *args, **kwargs: (
        file.write_bytes(theirs),
        check(*args, **kwargs),
    )
    body = {"type": "notebook", "content": notebook("größer = 1", "y")}
    await ensure_async(server.contents_manager.save(body, "a.ipynb"))
    server.contents_manager.validate_notebook_model = check
    await eventually(lambda: not service.recorder.readings.is_expected(str(file)))
    await ensure_async(server.contents_manager.save(body, "a.ipynb"))
    await eventually(lambda: not service.recorder.queued)
    with Workspace.open(service.settings) as workspace:
        found = workspace.checkpoints(str(file))
        assert [workspace.read(each) for each in found] == [ours, theirs, ours]
        reasons = [str(each.reason) for each in found]
        assert reasons == ["autosave", "external-change", "autosave"]


async def test_a_manager_that_writes_in_its_own_way_is_read_back(client: Client) -> None:
    """Nothing is remembered of what it writes, or not all: then the file is asked."""
    atomic_writing = client.server.contents_manager.atomic_writing

    @contextlib.contextmanager
    def by_parts(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with atomic_writing(*args, **kwargs) as stream:
            yield stream
            stream.seek(0)
            stream.write("{ ")

    client.server.contents_manager.atomic_writing = by_parts
    await client.put("a.ipynb", notebook("x = 1"))
    (one,) = await client.checkpoints("a.ipynb")
    assert await client.content("a.ipynb", one["id"]) == client.file("a.ipynb").read_bytes()
