"""Saves beside the user's own hooks, links and managers: what was saved is kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_core.utils import ensure_async

from jupyter_rewind.workspace import lane_lock
from tests.faces.server.support import Client, notebook, written


async def contents(client: Client, path: str) -> list[bytes]:
    """The states of a file, oldest first."""
    found = await client.checkpoints(path)
    return [await client.content(path, one["id"]) for one in found]


def strip(os_path: str, **_: Any) -> None:
    file = Path(os_path)
    file.write_bytes(file.read_bytes().replace(b"secret", b"******"))


def strip_unseen(os_path: str, **_: Any) -> None:
    """Leaves the times of the file as they were."""
    status = os.stat(os_path)
    strip(os_path)
    os.utime(os_path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("hook", [strip, strip_unseen])
async def test_what_a_hook_of_the_users_makes_of_a_save_is_kept(client: Client, hook: Any) -> None:
    """Some format or strip each file after it is saved: what they leave is what comes back."""
    client.server.contents_manager.register_post_save_hook(hook)
    for number in range(3):
        await client.put("a.ipynb", notebook(f"secret = {number}"))
    states = [written(notebook(f"****** = {number}")) for number in range(3)]
    assert await contents(client, "a.ipynb") == states


async def test_a_hook_that_changes_nothing_costs_no_save(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server overwrites the file before the hook runs: our state is in the history."""
    manager = client.server.contents_manager
    manager.register_post_save_hook(lambda **_: None)
    check, file = manager.validate_notebook_model, client.file("a.ipynb")

    def overwritten(*args: Any, **kwargs: Any) -> Any:
        file.write_bytes(written(notebook("theirs")))
        return check(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(manager, "validate_notebook_model", overwritten)
        await client.put("a.ipynb", notebook("ours"))
    assert written(notebook("ours")) in await contents(client, "a.ipynb")


async def test_a_save_whose_hook_fails_is_kept(client: Client) -> None:
    """The file was written, though Jupyter answers 500: overwritten, it can be brought back."""

    def fail(**_: Any) -> None:
        raise RuntimeError("the hook failed")

    client.server.contents_manager.register_post_save_hook(fail)
    assert (await client.put("a.ipynb", notebook("x = 1")))[0] == 500
    client.file("a.ipynb").write_bytes(written(notebook("by git")))
    assert written(notebook("x = 1")) in await contents(client, "a.ipynb")


async def test_a_task_that_a_hook_began_sees_the_checkpoints(client: Client) -> None:
    """It outlives the save: what it is told by then is the history, not what is to come."""
    manager, told = client.server.contents_manager, []

    def begin(model: Any, **_: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0.3)
            told.append(await ensure_async(manager.list_checkpoints(model["path"])))

        tasks.append(asyncio.ensure_future(later()))

    tasks: list[asyncio.Future[None]] = []
    manager.register_post_save_hook(begin)
    await client.put("a.ipynb", notebook("x = 1"))
    await asyncio.gather(*tasks)
    expected = [one["id"] for one in await client.checkpoints("a.ipynb")]
    assert [one["id"] for one in told[0]] == expected


async def test_a_save_that_the_disk_does_not_take_is_not_called_saved(client: Client) -> None:
    """The disk is full at the first write: Jupyter's error reaches the user as without Rewind."""
    client.server.contents_manager.use_atomic_writing = False
    os.symlink("/dev/full", client.file("a.ipynb"))
    for size in (10, 6_000, 60_000):
        status, _ = await client.put("a.ipynb", notebook("x" * size))
        assert status == 500, size


async def test_a_notebook_behind_a_link_loses_no_save(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written counts there too, and not what another program has made of it since."""
    manager = client.server.contents_manager
    real = client.file("real.ipynb")
    real.write_bytes(written(notebook("old")))
    os.symlink("real.ipynb", client.file("a.ipynb"))
    check = manager.validate_notebook_model

    def overwritten(*args: Any, **kwargs: Any) -> Any:
        real.write_bytes(written(notebook("theirs")))
        return check(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(manager, "validate_notebook_model", overwritten)
        await client.put("a.ipynb", notebook("ours"))
    found = await contents(client, "a.ipynb")
    assert found[:2] == [written(notebook("old")), written(notebook("ours"))]


async def test_a_manager_that_closes_the_file_itself_works(client: Client) -> None:
    """The file that is written through us can be used as any other file."""
    manager = client.server.contents_manager
    manager.use_atomic_writing = False
    atomic_writing = manager.atomic_writing

    @contextlib.contextmanager
    def closing(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with atomic_writing(*args, **kwargs) as stream, stream:
            yield stream

    manager.atomic_writing = closing
    assert (await client.put("a.ipynb", notebook("x = 1")))[0] == 201
    assert await contents(client, "a.ipynb") == [written(notebook("x = 1"))]


async def test_what_was_saved_last_is_offered_for_a_notebook_that_broke_at_once(
    client: Client,
) -> None:
    """The answer to who opens it waits for what is on its way into the history."""
    await client.put("a.ipynb", notebook("x = 1"))
    client.file("a.ipynb").write_bytes(b"")
    status, answer = await client.ask("GET", "api/contents", "a.ipynb")
    assert status == 400
    (one,) = [each for each in await client.checkpoints("a.ipynb") if each["reason"] == "save"]
    assert one["id"] in answer["message"]


async def test_a_label_is_no_checkpoints_id(client: Client) -> None:
    """A name that is printed for another checkpoint would hide it."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 2"))
    first, second = await client.checkpoints("a.ipynb")
    body = {"path": "a.ipynb", "ref": second["id"], "label": first["id"][:8]}
    status, answer = await client.rewind("POST", "labels", body=body)
    assert status == 400
    assert first["id"] in answer["message"]


async def test_a_save_does_not_wait_for_one_that_never_ends(client: Client) -> None:
    """Another server hangs in the middle of a save of the same notebook: ours is saved and kept."""
    await client.put("a.ipynb", notebook("x = 1"))
    workspace = client.service.recorder.workspace()
    lock = lane_lock(workspace.repository.layout, "save", str(client.file("a.ipynb")))
    assert lock.try_acquire(exclusive=True)
    try:
        await client.put("a.ipynb", notebook("x = 2"))
    finally:
        lock.release()
    assert (await contents(client, "a.ipynb"))[-1] == written(notebook("x = 2"))
