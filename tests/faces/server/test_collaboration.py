"""Several people in one live document: their saves are kept, and a restore loses no typing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.faces.server.support import Client, eventually, notebook, written

pytest.importorskip("jupyter_server_ydoc")

LIVE = {
    "ServerApp": {
        "jpserver_extensions": {
            "jupyter_rewind": True,
            "jupyter_server_fileid": True,
            "jupyter_server_ydoc": True,
        }
    },
    "BaseFileIdManager": {"db_path": ":memory:", "db_journal_mode": "OFF"},
    "SQLiteYStore": {"db_path": ":memory:"},
    "YDocExtension": {"document_save_delay": 0.3, "file_poll_interval": 0.5},
}

pytestmark = [pytest.mark.parametrize("extra_config", [LIVE]), pytest.mark.slow]


async def _open(client: Client, path: str) -> Any:
    (extension,) = client.server.extension_manager.extension_apps["jupyter_server_ydoc"]
    return await extension.get_document(
        path=path, content_type="notebook", file_format="json", copy=False, create=True
    )


def _type(document: Any, source: str) -> None:
    cell = document.get_cell(0)
    cell["source"] = source
    document.set_cell(0, cell)


def _read(document: Any) -> str:
    return str(document.get_cell(0)["source"])


async def test_saves_of_a_live_document_are_kept_as_autosaves(client: Client) -> None:
    """What collaborators type is saved by the document itself and becomes a checkpoint."""
    await client.put("a.ipynb", notebook("x = 1"))
    document = await _open(client, "a.ipynb")
    _type(document, "typed = 1")
    await eventually(lambda: b"typed" in client.file("a.ipynb").read_bytes())
    made = await client.checkpoint("a.ipynb")
    assert b"typed" in await client.content("a.ipynb", made["id"])


@pytest.mark.parametrize("rewind_settings", [{"notebooks_autosave_seconds": 2}])
async def test_many_saves_in_a_moment_become_few_checkpoints(client: Client) -> None:
    """Steady typing saves every second; the history keeps one state for each autosave interval."""
    await client.put("a.ipynb", notebook("x = 1"))
    document = await _open(client, "a.ipynb")
    for number in range(5):
        _type(document, f"typed = {number}")
        await eventually(
            lambda n=number: f"typed = {n}".encode() in client.file("a.ipynb").read_bytes()
        )
    assert len(await client.checkpoints("a.ipynb")) < 6
    made = await client.checkpoint("a.ipynb")
    assert b"typed = 4" in await client.content("a.ipynb", made["id"])


@pytest.mark.parametrize("rewind_settings", [{"notebooks_autosave_seconds": 10}])
async def test_what_a_live_document_saved_is_kept_when_the_file_is_overwritten(
    client: Client,
) -> None:
    """One state is kept for each interval; a program that overwrites the file before it is over
    takes nothing of it, and is kept as what it is."""
    await client.put("a.ipynb", notebook("x = 1"))
    document = await _open(client, "a.ipynb")
    for words in ("typed = 1", "typed = 2"):
        _type(document, words)
        await eventually(lambda w=words: w.encode() in client.file("a.ipynb").read_bytes())
    await asyncio.sleep(0.5)
    client.file("a.ipynb").write_bytes(written(notebook("by git")))
    await eventually(lambda: _read(document) == "by git")
    found = await client.checkpoints("a.ipynb")
    states = {await client.content("a.ipynb", one["id"]): one["reason"] for one in found}
    assert any(b"typed = 2" in state for state in states)
    assert states[written(notebook("by git"))] == "external-change"


async def test_a_checkpoint_holds_what_is_not_on_disk_yet(client: Client) -> None:
    """A checkpoint asked for in the middle of typing has the last keystroke."""
    await client.put("a.ipynb", notebook("x = 1"))
    document = await _open(client, "a.ipynb")
    _type(document, "just typed")
    made = await client.checkpoint("a.ipynb")
    assert made["reason"] == "manual"
    assert b"just typed" in await client.content("a.ipynb", made["id"])


@pytest.mark.parametrize("indent", [1, 3])
async def test_a_restore_keeps_what_was_typed_a_moment_before(client: Client, indent: int) -> None:
    """Typing that no file holds yet is in the history after the restore; everyone sees the
    restored state at once, and the file holds the very bytes, however they are spelled."""
    raw = json.dumps(notebook("old = 1"), indent=indent).encode()
    client.file("a.ipynb").write_bytes(raw)
    first = await client.checkpoint("a.ipynb")
    await client.put("a.ipynb", notebook("new = 1"))
    document = await _open(client, "a.ipynb")
    _type(document, "typed in the last second")
    assert (await client.restore("a.ipynb", first["id"]))[0] == 204
    assert _read(document) == "old = 1"
    contents = [
        await client.content("a.ipynb", each["id"]) for each in await client.checkpoints("a.ipynb")
    ]
    assert any(b"typed in the last second" in each for each in contents)
    # Several times as long as the document waits before it saves itself, and between its polls.
    await asyncio.sleep(1.5)
    assert _read(document) == "old = 1"
    assert client.file("a.ipynb").read_bytes() == raw


async def test_typing_after_a_restore_is_saved(client: Client) -> None:
    """The document that followed a restore saves itself again at the next edit."""
    await client.put("a.ipynb", notebook("old = 1"))
    first = (await client.checkpoints("a.ipynb"))[0]
    await client.put("a.ipynb", notebook("new = 1"))
    document = await _open(client, "a.ipynb")
    _type(document, "typed before")
    assert (await client.restore("a.ipynb", first["id"]))[0] == 204
    _type(document, "typed after")
    await eventually(lambda: b"typed after" in client.file("a.ipynb").read_bytes())
    assert _read(document) == "typed after"


async def test_an_emptied_live_document_does_not_empty_the_file(client: Client) -> None:
    """When a live document loses all its cells, the notebook on disk stays."""
    await client.put("a.ipynb", notebook("x = 1"))
    before = client.file("a.ipynb").read_bytes()
    document = await _open(client, "a.ipynb")
    document.ycells.clear()
    await asyncio.sleep(1.0)
    assert client.file("a.ipynb").read_bytes() == before


async def test_a_restore_keeps_what_is_typed_while_it_swaps_the_file(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typing that comes after the present was kept, and before everyone sees the restored state,
    is in the history as well."""
    await client.put("a.ipynb", notebook("old = 1"))
    first = (await client.checkpoints("a.ipynb"))[0]
    await client.put("a.ipynb", notebook("new = 1"))
    document = await _open(client, "a.ipynb")
    restore = client.service.desk.restore

    def restore_while_typed(*args: Any, **options: Any) -> Any:
        done = restore(*args, **options)
        done.result(60)
        _type(document, "typed while it was swapped")
        return done

    monkeypatch.setattr(client.service.desk, "restore", restore_while_typed)
    assert (await client.restore("a.ipynb", first["id"]))[0] == 204
    assert _read(document) == "old = 1"
    contents = [
        await client.content("a.ipynb", each["id"]) for each in await client.checkpoints("a.ipynb")
    ]
    assert any(b"typed while it was swapped" in each for each in contents)
