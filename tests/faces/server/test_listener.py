"""Saves are kept from events: nothing of ours fails or slows them."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.faces.server.support import BROWSER, Client, eventually, notebook, written


async def test_saves_faster_than_we_store_are_all_kept(client: Client, monkeypatch: Any) -> None:
    """Ten saves in a row are ten checkpoints, though storing takes longer than saving."""
    import time

    recorder = client.service.recorder
    slowly = recorder.record

    def record(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.1)
        return slowly(*args, **kwargs)

    monkeypatch.setattr(recorder, "record", record)
    for number in range(10):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    assert len(await client.checkpoints("a.ipynb")) == 10


async def test_new_files_through_post_are_saves(client: Client) -> None:
    """A notebook that a browser creates is a save, not an autosave."""
    _, made = await client.ask("POST", "api/contents", body={"type": "notebook"}, agent=BROWSER)
    assert await client.reasons(made["path"]) == ["save"]


async def test_an_upload_in_pieces_is_one_checkpoint(client: Client) -> None:
    """A large file that arrives in pieces is kept once, when it is whole."""
    for chunk, text in ((1, "a" * 10), (2, "b" * 10), (-1, "c" * 10)):
        body = {"type": "file", "format": "text", "content": text, "chunk": chunk}
        assert (await client.ask("PUT", "api/contents", "a.txt", body=body))[0] in (200, 201)
    (found,) = await client.checkpoints("a.txt")
    assert found["size"] == 30


@pytest.mark.parametrize("rewind_settings", [{"notebooks_text_files": False}])
async def test_text_files_are_left_alone_when_the_user_says_so(client: Client) -> None:
    """With notebooks.text_files off, a script has no checkpoints of its saves."""
    await client.put_text("a.py", "x = 1\n")
    assert await client.checkpoints("a.py") == []
    # JupyterLab asks for a checkpoint of each file that it opens and that has none.
    status, answer = await client.ask("POST", "api/contents", "a.py", "checkpoints")
    assert status == 403 and "notebooks.text_files" in answer["message"]
    stock = client.root / ".ipynb_checkpoints"
    stock.mkdir(exist_ok=True)
    (stock / "a-checkpoint.py").write_text("x = 0\n")
    assert await client.checkpoints("a.py") == []


@pytest.mark.parametrize("rewind_settings", [{"notebooks_max_file_mb": 1}])
async def test_a_file_over_the_limit_is_saved_and_said(client: Client) -> None:
    """A file beyond the limit is saved as ever; asking for a checkpoint says why there is none."""
    assert (await client.put("a.ipynb", notebook("x" * (1 << 20))))[0] == 201
    status, answer = await client.ask("POST", "api/contents", "a.ipynb", "checkpoints")
    assert status == 403, "of any other, JupyterLab says that the save failed"
    assert "max_file_mb" in answer["message"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
@pytest.mark.parametrize("rewind_settings", [{"store_path": "/etc/hostname/store"}])
async def test_a_store_that_cannot_be_opened_costs_no_save(client: Client) -> None:
    """With no store at all saves go on, and listing says what is wrong instead of "none"."""
    for number in range(3):
        assert (await client.put("a.ipynb", notebook(f"x = {number}")))[0] in (200, 201)
    status, answer = await client.ask("GET", "api/contents", "a.ipynb", "checkpoints")
    assert status in (403, 503)
    assert answer["message"]
    _, health = await client.rewind("GET", "health")
    assert health["state"] == "failing"
    assert health["store"]["error"]["message"]


async def test_a_fault_of_ours_costs_no_save(client: Client, monkeypatch: Any) -> None:
    """When recording breaks in a way nobody thought of, the save still succeeds."""

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(client.service.recorder, "record", broken)
    monkeypatch.setattr(client.service.guard, "_keep_external_change", broken)
    for number in range(2):
        assert (await client.put("a.ipynb", notebook(f"x = {number}")))[0] in (200, 201)
    _, health = await eventually(lambda: client.rewind("GET", "health"))
    assert health["failed"] > 0
    assert "ZeroDivisionError" in health["last_failure"]


async def test_links_lead_to_one_history(client: Client) -> None:
    """Saving through a link and saving the file itself make one history."""
    await client.put("a.ipynb", notebook("x = 1"))
    client.file("link.ipynb").symlink_to(client.file("a.ipynb"))
    await client.put("link.ipynb", notebook("x = 2"))
    assert len(await client.checkpoints("a.ipynb")) == 2


async def test_what_was_saved_is_kept_when_the_server_stops(client: Client) -> None:
    """Stopping the server stores what was saved a moment before."""
    for number in range(5):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    service = client.service
    await service.stop()
    from jupyter_rewind.workspace import Workspace

    with Workspace.open(service.settings) as workspace:
        found = workspace.histories.checkpoints(str(client.file("a.ipynb").resolve()))
        assert len(found) == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_read_only_folder_opens_and_keeps(client: Client, tmp_path: Path) -> None:
    """In a folder nobody may write to, notebooks open and asking for a checkpoint works."""
    folder = client.file("ro")
    folder.mkdir()
    (folder / "a.ipynb").write_text("{}")
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert (await client.ask("GET", "api/contents", "ro/a.ipynb", params={"content": "0"}))[
            0
        ] == 200
        assert await client.checkpoint("ro/a.ipynb")
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("kept", [0, 40], ids=["emptied", "half written"])
async def test_who_looks_while_a_save_is_being_written_waits_for_it(
    client: Client, kept: int
) -> None:
    """A checkpoint asked for, and a second save, in the middle of a first one: what stands on the
    disk just then is no state of the notebook."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    file, whole = client.file("a.ipynb"), written(notebook("x = 2"))
    client.service.recorder.readings.expect(str(file))
    file.write_bytes(whole[:kept])
    asked = asyncio.ensure_future(client.checkpoint("a.ipynb"))
    await asyncio.sleep(0.3)
    file.write_bytes(whole)
    await asked
    file.write_bytes(whole[:kept])
    await client.put("a.ipynb", notebook("x = 3"))
    found = await client.checkpoints("a.ipynb")
    states = [await client.content("a.ipynb", one["id"]) for one in found]
    assert states == [written(notebook(f"x = {number}")) for number in (1, 2, 3)]


async def test_a_save_that_failed_is_not_waited_for(client: Client, monkeypatch: Any) -> None:
    """Afterwards a damaged file counts as damaged: as a change from outside, it is kept."""
    await client.put("a.ipynb", notebook("x = 1"))
    readings, file = client.service.recorder.readings, client.file("a.ipynb")
    manager = client.server.contents_manager
    with monkeypatch.context() as patch:
        patch.setattr(manager, "check_and_sign", lambda *_: 1 / 0)
        assert (await client.put("a.ipynb", notebook("x = 2")))[0] == 500
    assert not readings.is_expected(str(file))
    file.write_bytes(b"damaged")
    await client.put("a.ipynb", notebook("x = 3"))
    found = await client.checkpoints("a.ipynb")
    assert await client.content("a.ipynb", found[1]["id"]) == b"damaged"


@pytest.mark.parametrize("kept", [0, 40], ids=["emptied", "half written"])
async def test_a_save_caught_in_another_servers_writing_is_read_again(
    client: Client, monkeypatch: Any, kept: int
) -> None:
    """Jupyter writes in place: what stands there for a moment is a state that nobody saved. A
    manager that writes in its own way has what it wrote read back."""
    client.server.contents_manager.__dict__.pop("atomic_writing")
    await client.put("a.ipynb", notebook("x = 1"))
    file = client.file("a.ipynb")
    readings = client.service.recorder.readings
    take_now = readings.take_now

    one_at_a_time = threading.Lock()

    def caught(reading: Any) -> None:
        with one_at_a_time:
            if not reading.is_taken:
                whole = file.read_bytes()
                file.write_bytes(whole[:kept])
                take_now(reading)
                file.write_bytes(whole)

    with monkeypatch.context() as patch:
        patch.setattr(readings, "take_now", caught)
        await client.put("a.ipynb", notebook("x = 2"))
    found = await client.checkpoints("a.ipynb")
    states = [await client.content("a.ipynb", one["id"]) for one in found]
    assert states == [written(notebook("x = 1")), written(notebook("x = 2"))]
