"""A clock that ran ahead, on one machine for once, costs a server no save and no change."""

from __future__ import annotations

import shutil

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.workspace import Workspace
from tests.faces.server.support import Client, eventually, notebook


class _Ahead(clock.SystemClock):
    def now_ns(self) -> int:
        return super().now_ns() + 4_000_000_000_000


async def run_ahead(client: Client) -> None:
    """Somebody whose clock is more than an hour ahead keeps another notebook in this store."""
    other = client.file("other.ipynb")
    await client.put("other.ipynb", notebook("of another"))
    assert len(await client.checkpoints("other.ipynb")) == 1
    with clock.use(_Ahead()), Workspace.open(client.service.settings) as ahead:
        made = ahead.checkpoint(str(other), reason=Reason.MANUAL, label="from the future")
    assert made.checkpoint.labels == ("from the future",)


async def test_a_file_that_is_put_back_outside_is_kept_again(client: Client) -> None:
    """Saved, saved over, and copied back over it: three states, and the last one is the head."""
    await run_ahead(client)
    await client.put("a.ipynb", notebook("first"))
    assert len(await client.checkpoints("a.ipynb")) == 1
    first = client.file("a.ipynb").read_bytes()
    shutil.copyfile(client.file("a.ipynb"), client.file("a.bak"))
    await client.put("a.ipynb", notebook("second"))
    assert len(await client.checkpoints("a.ipynb")) == 2
    second = client.file("a.ipynb").read_bytes()
    shutil.copyfile(client.file("a.bak"), client.file("a.ipynb"))
    assert (await client.ask("GET", "api/contents", "a.ipynb"))[0] == 200

    async def three() -> bool:
        return len(await client.checkpoints("a.ipynb")) == 3

    assert await eventually(three)
    found = [await client.content("a.ipynb", one["id"]) for one in await client.history("a.ipynb")]
    assert sorted(found) == sorted([first, second, first])
    assert await client.content("a.ipynb", "head") == first
    assert (await client.delete("a.ipynb"))[0] == 204
    status, answer = await client.rewind("POST", "undelete", body={"path": "a.ipynb"})
    assert status == 200, answer
    assert client.file("a.ipynb").read_bytes() == first


async def test_a_save_of_what_was_there_before_is_kept_again(client: Client) -> None:
    await run_ahead(client)
    for text in ("first", "second", "first"):
        await client.put("a.ipynb", notebook(text))
    assert len(await client.checkpoints("a.ipynb")) == 3
