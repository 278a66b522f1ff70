"""Notebooks that are listed and not opened: what others change in them is kept, in its turn."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from jupyter_rewind.errors import Storage
from jupyter_rewind.faces.server import heartbeat as heartbeat_module
from jupyter_rewind.faces.server import pacing
from tests.faces.server.support import Client, eventually, notebook, written


@pytest.fixture
def looks(client: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Looks at what was listed or opened, when the test says so, as the heartbeat's thread does."""
    heartbeat = client.service.heartbeat
    monkeypatch.setattr(heartbeat, "_start", lambda: None)

    async def look() -> None:
        due = await eventually(lambda: heartbeat._fresh | heartbeat._unsettled)
        heartbeat._fresh, heartbeat._unsettled = set(), set()
        await asyncio.to_thread(heartbeat._go_through, due)

    return look


async def _list(client: Client) -> None:
    await client.ask("GET", "api/contents", "")


async def test_what_others_change_in_a_listed_notebook_is_kept(client: Client) -> None:
    """The file browser shows it, and VS Code saves it: nobody opens it in Jupyter."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    client.service.heartbeat._watched.clear()
    for source in ("by VS Code", "once more"):
        raw = written(notebook(source))
        client.file("a.ipynb").write_bytes(raw)
        await _list(client)

        async def kept(raw: bytes = raw) -> bool:
            return await client.content("a.ipynb", "head") == raw

        await eventually(kept)
    assert await client.reasons("a.ipynb") == ["save", "external-change", "external-change"]


async def test_a_listed_notebook_without_a_history_gets_one_when_it_changes(
    client: Client, looks: Any
) -> None:
    client.file("a.ipynb").write_bytes(written(notebook("x = 1")))
    histories = client.service.recorder.workspace().histories
    path = str(client.file("a.ipynb").resolve())
    await _list(client)
    await looks()
    client.file("a.ipynb").chmod(0o640)
    await _list(client)
    await looks()
    assert histories.find(path) is None
    raw = written(notebook("x = 2"))
    client.file("a.ipynb").write_bytes(raw)
    await _list(client)
    await looks()
    assert await client.content("a.ipynb", "head") == raw
    assert await client.reasons("a.ipynb") == ["external-change"]


async def test_a_listed_notebook_that_is_kept_is_not_stored_again(
    client: Client, looks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that starts sees a folder of notebooks that nobody touched."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    heartbeat, recorder = client.service.heartbeat, client.service.recorder
    heartbeat._watched.clear()
    recorder.forget(str(client.file("a.ipynb").resolve()))

    def refuse(*told: object, **more: object) -> None:
        raise AssertionError("a notebook that is kept was stored")

    monkeypatch.setattr(recorder, "save", refuse)
    await _list(client)
    await looks()
    assert recorder.failed == 0
    monkeypatch.setattr(heartbeat, "_find_damage", refuse)
    await _list(client)
    await looks()
    assert recorder.failed == 0


async def test_damage_of_a_listed_notebook_is_no_change_to_keep(client: Client, looks: Any) -> None:
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    heartbeat = client.service.heartbeat
    heartbeat._watched.clear()
    client.file("a.ipynb").write_bytes(b"")
    os.utime(client.file("a.ipynb"), (1_700_000_000, 1_700_000_000))
    await _list(client)
    await looks()
    assert [each.condition for each in heartbeat.damages] == ["empty"]
    assert await client.reasons("a.ipynb") == ["save"]


async def test_a_notebook_that_is_copied_or_renamed_is_not_looked_at_for_that(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says is in the history as what was asked for; a later look finds what others do."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    heartbeat, looked = client.service.heartbeat, list[str]()
    monkeypatch.setattr(heartbeat, "see", lambda path, is_opened: looked.append(path))
    heartbeat._watched.clear()
    await client.ask("POST", "api/contents", "", body={"copy_from": "a.ipynb"})
    await client.rename("a.ipynb", "b.ipynb")
    await eventually(lambda: {"a.ipynb", "b.ipynb"} <= {*heartbeat._watched, *looked})
    assert looked == []


async def test_a_notebook_that_is_saved_is_not_looked_at_for_that(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another program writes just then is told as what it is kept for: before it is deleted,
    before a restore."""
    heartbeat, looked = client.service.heartbeat, list[str]()
    monkeypatch.setattr(heartbeat, "see", lambda path, is_opened: looked.append(path))
    await client.put("a.ipynb", notebook("x = 1"))
    await eventually(lambda: "a.ipynb" in heartbeat._watched)
    assert looked == []
    await client.ask("GET", "api/contents", "a.ipynb")
    await eventually(lambda: looked == ["a.ipynb"])


async def test_a_damaged_notebook_that_is_saved_is_found_mended(client: Client) -> None:
    await client.put("a.ipynb", notebook("x = 1"))
    heartbeat, file = client.service.heartbeat, client.file("a.ipynb")
    file.write_bytes(b"")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    await client.ask("GET", "api/contents", "a.ipynb")
    await eventually(lambda: heartbeat.damages)
    await client.put("a.ipynb", notebook("x = 2"))
    await eventually(lambda: not heartbeat.damages)


async def test_a_listed_notebook_that_is_too_large_to_be_read_for_a_look_waits_until_it_is_opened(
    client: Client, looks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is whole is not known: the last good state stays what the history ends with."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    client.service.heartbeat._watched.clear()
    client.file("a.ipynb").write_bytes(written(notebook("x = 2")))
    monkeypatch.setattr(heartbeat_module, "LARGEST_BYTES", 10)
    await _list(client)
    await looks()
    assert await client.reasons("a.ipynb") == ["save"]
    await client.ask("GET", "api/contents", "a.ipynb")
    await looks()
    assert await client.reasons("a.ipynb") == ["save", "external-change"]


async def test_what_a_full_store_did_not_take_of_a_listed_notebook_is_tried_again(
    client: Client, looks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    recorder = client.service.recorder
    client.service.heartbeat._watched.clear()
    client.file("a.ipynb").write_bytes(written(notebook("x = 2")))

    def refuse(*told: object, **more: object) -> None:
        raise Storage("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "record", refuse)
        await _list(client)
        await looks()
    assert recorder.failed == 1
    await _list(client)
    await looks()
    assert await client.reasons("a.ipynb") == ["save"]  # not again at once
    client.service.heartbeat._pace = pacing.Pace()
    await _list(client)
    await looks()
    assert await client.reasons("a.ipynb") == ["save", "external-change"]


async def test_listed_notebooks_are_kept_in_their_turn(
    client: Client, looks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout changes a hundred large ones at once: the server goes on serving."""
    for name in ("a.ipynb", "b.ipynb"):
        await client.put(name, notebook("x = 1"))
        await client.checkpoints(name)
    heartbeat = client.service.heartbeat
    heartbeat._watched.clear()
    for name in ("a.ipynb", "b.ipynb"):
        client.file(name).write_bytes(written(notebook("x = 2")))
    monkeypatch.setattr(pacing, "_BYTES_A_SECOND", 1)
    await _list(client)
    await looks()
    counts = [len(await client.checkpoints(name)) for name in ("a.ipynb", "b.ipynb")]
    assert sorted(counts) == [1, 2]
    await looks()
    assert [len(await client.checkpoints(name)) for name in ("a.ipynb", "b.ipynb")] == counts
    heartbeat._pace = pacing.Pace()
    await looks()
    assert [len(await client.checkpoints(name)) for name in ("a.ipynb", "b.ipynb")] == [2, 2]


async def test_what_is_opened_stays_watched_when_a_large_folder_is_listed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of very many, those that are only listed are let go."""
    monkeypatch.setattr(heartbeat_module, "_WATCHED", 3)
    heartbeat = client.service.heartbeat
    monkeypatch.setattr(heartbeat, "_start", lambda: None)
    heartbeat.see("open.ipynb", is_opened=True)
    for number in range(9):
        heartbeat.see(f"{number}.ipynb", is_opened=False)
    assert list(heartbeat._watched) == ["open.ipynb", "7.ipynb", "8.ipynb"]
