"""Notebooks that are moved outside Jupyter while a server runs, and their names used again."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.notebooks.documents import checkpoint_document
from tests.faces.server.support import BROWSER, Client, eventually, notebook, written


async def _ids(client: Client, path: str) -> list[str]:
    return [one["id"] for one in await client.checkpoints(path)]


async def _new(client: Client, folder: str = "") -> str:
    status, made = await client.ask("POST", "api/contents", folder, body={"type": "notebook"})
    assert status == 201, made
    return str(made["path"])


async def _move_and_use_the_name(client: Client) -> list[str]:
    """`a.ipynb` is `b.ipynb` now and another notebook has its name; the checkpoints it had."""
    await client.put("a.ipynb", notebook("import this", "x = 1"))
    before = await _ids(client, "a.ipynb")
    client.file("a.ipynb").rename(client.file("b.ipynb"))
    other = notebook("something = 'else'")
    other["cells"][0]["id"] = "of-another"
    client.file("a.ipynb").write_bytes(written(other))
    return before


async def test_a_listing_finds_what_was_moved_though_its_name_is_used_again(
    client: Client,
) -> None:
    before = await _move_and_use_the_name(client)
    await client.ask("GET", "api/contents", "")

    async def followed() -> bool:
        status, found = await client.rewind("GET", "history", path="b.ipynb")
        return status == 200 and [one["id"] for one in found["checkpoints"]] == before

    assert await eventually(followed)
    await client.ask("GET", "api/contents", "a.ipynb")

    async def begun() -> Any:
        return await _ids(client, "a.ipynb")

    [own] = await eventually(begun)
    assert own not in before
    assert await _ids(client, "b.ipynb") == before


@pytest.mark.parametrize("target", ["analysis.ipynb", "deep/analysis.ipynb"])
async def test_a_new_notebook_takes_no_older_ones_history(client: Client, target: str) -> None:
    """ "New" finds the name free, for its notebook was moved in a terminal."""
    name = await _new(client)
    await client.put(name, notebook("import this", "x = 1"), agent=BROWSER)
    before = await _ids(client, name)
    client.file(target).parent.mkdir(exist_ok=True)
    client.file(name).rename(client.file(target))
    assert await _new(client) == name
    await client.put(name, notebook("another = 'one'"), agent=BROWSER)
    own = await _ids(client, name)
    assert own and not {*own} & {*before}
    await client.ask("GET", "api/contents", target)

    async def followed() -> bool:
        return await _ids(client, target) == before

    assert await eventually(followed)


async def test_a_deleted_folder_keeps_what_its_files_with_a_history_held(client: Client) -> None:
    """Text files and hidden notebooks that another program changed since, too."""
    client.file("D/.h").mkdir(parents=True)
    hidden = str(client.file("D/.h/x.ipynb"))
    await client.put_text("D/t.py", "one = 1")
    await client.checkpoints("D/t.py")
    client.file("D/.h/x.ipynb").write_bytes(written(notebook("seen")))
    client.file("D/never.py").write_text("nobody = 'knows'")
    workspace = client.service.recorder.workspace()
    checkpoint_document(workspace.histories, client.file("D/.h/x.ipynb"), reason=Reason.MANUAL)
    client.file("D/t.py").write_text("two = 2  # precious")
    client.file("D/.h/x.ipynb").write_bytes(written(notebook("precious")))
    assert (await client.delete("D"))[0] == 204

    def last_states() -> bool:
        found = {
            info.path: workspace.histories.checkpoints(info.id)[-1]
            for info in workspace.histories.deleted()
        }
        if set(found) != {str(client.file("D/t.py")), hidden}:
            return False
        return all(
            b"precious" in workspace.histories.read(one) and one.reason == "before-delete"
            for one in found.values()
        )

    assert await eventually(last_states)


async def test_a_deleted_notebook_takes_nothing_of_the_one_that_had_its_name(
    client: Client,
) -> None:
    before = await _move_and_use_the_name(client)
    assert (await client.delete("a.ipynb"))[0] == 204
    await client.ask("GET", "api/contents", "b.ipynb")

    async def followed() -> bool:
        return await _ids(client, "b.ipynb") == before

    assert await eventually(followed)


async def test_what_is_opened_is_looked_at_before_what_is_listed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = client.service.heartbeat
    for name in "abcdef":
        client.file(f"{name}.ipynb").write_bytes(written(notebook(name)))
        heartbeat._watch(f"{name}.ipynb", name in "ce")
    looked: list[str] = []
    monkeypatch.setattr(heartbeat, "_look_quietly", looked.append)
    heartbeat._go_through({f"{name}.ipynb" for name in "abcdef"})
    assert {*looked[:2]} == {"c.ipynb", "e.ipynb"}
    assert len(looked) == 6
    looked.clear()
    heartbeat._fresh.add("e.ipynb")
    heartbeat._go_through({"a.ipynb", "b.ipynb", "d.ipynb"})
    assert len(looked) == 1  # the rest waits until what was opened has been looked at
    assert heartbeat._fresh >= {"e.ipynb", *{"a.ipynb", "b.ipynb", "d.ipynb"} - {*looked}}


@pytest.mark.parametrize("asked", ["checkpoints", "history", "checkpoint"])
async def test_a_moved_notebook_has_its_history_when_that_is_the_first_that_is_asked(
    client: Client, asked: str
) -> None:
    """Nobody has listed or opened it under its new name yet."""
    await client.put("a.ipynb", notebook("import this", "x = 1"))
    before = await _ids(client, "a.ipynb")
    client.file("a.ipynb").rename(client.file("b.ipynb"))
    if asked == "checkpoints":
        assert await _ids(client, "b.ipynb") == before
        return
    more = {"ref": "head"} if asked == "checkpoint" else {}
    status, found = await client.rewind("GET", asked, path="b.ipynb", **more)
    assert status == 200
    told = found["checkpoints"] if asked == "history" else [found]
    assert [one["id"] for one in told] == before


async def test_a_folder_that_took_a_notebooks_place_does_not_take_its_history_along(
    client: Client,
) -> None:
    """When the folder is renamed, the notebook still stands among the deleted ones, by its name."""
    await client.put("a.ipynb", notebook("import this", "x = 1"))
    before = await _ids(client, "a.ipynb")
    client.file("a.ipynb").unlink()
    client.file("a.ipynb").mkdir()
    await client.rename("a.ipynb", "folder")
    _, found = await client.rewind("GET", "deleted")
    assert [each["path"] for each in found["deleted"]] == ["a.ipynb"]
    assert await _ids(client, "a.ipynb") == before
    assert (await client.rewind("GET", "history", path="folder"))[0] == 404
