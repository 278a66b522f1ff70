"""Links in the served folder: a link is another name, and moves nothing of what it leads to."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from jupyter_rewind.faces.server.announcer import CHECKPOINT_EVENTS
from tests.faces.server.support import Client, eventually, notebook, written

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="Windows makes links for the privileged only"
)


async def sources(client: Client, path: str) -> list[str]:
    """What the only cell of `path` said in each checkpoint, oldest first."""
    found = []
    for each in await client.checkpoints(path):
        book = json.loads(await client.content(path, each["id"]))
        found.append("".join(book["cells"][0]["source"]))
    return found


async def keep(client: Client, path: str, *texts: str) -> None:
    for text in texts:
        assert (await client.put(path, notebook(text)))[0] in (200, 201)
    assert len(await client.checkpoints(path)) == len(texts)


async def test_a_link_that_is_renamed_takes_no_history_along(client: Client) -> None:
    """The notebook behind the link keeps its own history, and so does the one that was moved."""
    await keep(client, "Z1.ipynb", "z-one", "z-two")
    await keep(client, "A1.ipynb", "a-one", "a-two")
    client.file("A1.ipynb").rename(client.file("moved.ipynb"))
    client.file("A1.ipynb").symlink_to("Z1.ipynb")
    assert (await client.rename("A1.ipynb", "A2.ipynb"))[0] == 200
    assert client.file("A2.ipynb").is_symlink()
    assert await sources(client, "Z1.ipynb") == ["z-one", "z-two"]
    assert await sources(client, "A2.ipynb") == ["z-one", "z-two"]
    await client.put("moved.ipynb", notebook("a-two", "more"))
    assert await sources(client, "moved.ipynb") == ["a-one", "a-two", "a-two"]


async def test_a_link_to_a_folder_that_is_renamed_takes_no_histories_along(client: Client) -> None:
    for folder in ("fa", "fz"):
        client.file(folder).mkdir()
        await keep(client, f"{folder}/n.ipynb", f"{folder}-one", f"{folder}-two")
    client.file("fa").rename(client.file("elsewhere"))
    client.file("fa").symlink_to("fz")
    assert (await client.rename("fa", "fb"))[0] == 200
    assert await sources(client, "fz/n.ipynb") == ["fz-one", "fz-two"]
    assert await sources(client, "fb/n.ipynb") == ["fz-one", "fz-two"]
    await client.put("elsewhere/n.ipynb", notebook("fa-two", "more"))
    assert await sources(client, "elsewhere/n.ipynb") == ["fa-one", "fa-two", "fa-two"]


async def test_a_folder_that_is_deleted_takes_its_links_alone(client: Client) -> None:
    """A notebook in it has its history under its own name, and what lies behind a link is left."""
    folder = client.root / "d"
    folder.mkdir()
    for path in ("d/a.ipynb", "elsewhere.ipynb"):
        await client.put(path, notebook(f"x = '{path}'"))
    (folder / "link.ipynb").symlink_to(folder / "a.ipynb")
    (folder / "other.ipynb").symlink_to(client.file("elsewhere.ipynb"))
    client.file("link.ipynb").symlink_to(folder / "a.ipynb")
    # Changed from outside, so that there is something to keep before it is deleted.
    (folder / "a.ipynb").write_bytes(written(notebook("x = 2")))
    assert (await client.delete("link.ipynb"))[0] == 204
    assert await client.reasons("d/a.ipynb") == ["save"]
    assert (await client.delete("d"))[0] == 204
    _, answer = await client.rewind("GET", "deleted")
    assert [(each["path"], each["count"]) for each in answer["deleted"]] == [("d/a.ipynb", 2)]
    assert (await client.rewind("POST", "undelete", body={"path": "d/a.ipynb"}))[0] == 200
    assert await client.reasons("elsewhere.ipynb") == ["save"]


async def test_a_folder_renamed_twice_in_a_row_takes_its_histories_along(client: Client) -> None:
    """The second renaming may be over before the first one is followed."""
    client.file("fx").mkdir()
    await keep(client, "fx/n.ipynb", "one", "two")
    assert (await client.rename("fx", "fy"))[0] == 200
    assert (await client.rename("fy", "fz"))[0] == 200
    assert await sources(client, "fz/n.ipynb") == ["one", "two"]


async def test_a_deleted_notebook_is_found_under_its_folder_s_new_name(client: Client) -> None:
    """Deleted first, and then the folder got another name: undelete knows it by that."""
    client.file("fx").mkdir()
    await keep(client, "fx/d.ipynb", "one", "two")
    assert (await client.delete("fx/d.ipynb"))[0] == 204
    assert (await client.rename("fx", "fy"))[0] == 200
    body = {"path": "fy/d.ipynb"}
    status, answer = await client.rewind("POST", "undelete", body=body)
    assert status in (200, 201), answer
    assert b'"two"' in client.file("fy/d.ipynb").read_bytes()
    texts = await sources(client, "fy/d.ipynb")
    assert texts[:2] == ["one", "two"]


async def test_a_project_on_another_disk_with_a_link_in_its_place_goes_on(client: Client) -> None:
    """`mv proj /elsewhere; ln -s /elsewhere/proj proj`: the name in Jupyter is the same."""
    client.file("proj").mkdir()
    client.file("disk").mkdir()
    await keep(client, "proj/n.ipynb", "one", "two", "three")
    client.file("proj").rename(client.file("disk/proj"))
    client.file("proj").symlink_to(client.file("disk/proj"))
    await client.put("proj/n.ipynb", notebook("four"))
    await eventually(lambda: client.checkpoints("proj/n.ipynb"))
    assert await sources(client, "proj/n.ipynb") == ["one", "two", "three", "four"]
    assert await sources(client, "disk/proj/n.ipynb") == ["one", "two", "three", "four"]


async def _heard(client: Client) -> list[str]:
    """The paths that events of checkpoints name from now on."""
    paths: list[str] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        paths.append(data["path"])

    client.server.event_logger.add_listener(schema_id=CHECKPOINT_EVENTS, listener=listen)
    return paths


@pytest.mark.parametrize("link", ["linked.ipynb", "folder/real.ipynb"])
async def test_events_name_a_linked_file_by_each_name_that_it_was_opened_by(
    client: Client, link: str
) -> None:
    """So whoever shows its history under one of them hears of what is saved under another."""
    client.file("real").mkdir()
    client.file("linked.ipynb").symlink_to("real/real.ipynb")
    client.file("folder").symlink_to("real")
    paths = await _heard(client)
    await keep(client, link, "one")
    assert await eventually(lambda: set(paths) == {"real/real.ipynb", link})


async def test_what_lies_behind_a_link_out_of_the_served_folder_has_its_name_there(
    client: Client,
) -> None:
    """Events, and the list of what was deleted, also where nobody asked for it before."""
    outside = client.root.parent / "outside"
    outside.mkdir()
    client.file("out").symlink_to(outside)
    paths = await _heard(client)
    await keep(client, "out/n.ipynb", "one")
    assert await eventually(lambda: paths == ["out/n.ipynb"])
    assert (await client.delete("out/n.ipynb"))[0] == 204
    _, found = await client.rewind("GET", "deleted")
    assert [each["path"] for each in found["deleted"]] == ["out/n.ipynb"]
    client.file("out").rename(client.file("renamed"))
    _, found = await client.rewind("GET", "deleted")
    [gone] = found["deleted"]
    assert gone["path"] == "renamed/n.ipynb"
    body = {"history": gone["history"]}
    status, answer = await client.rewind("POST", "undelete", body=body)
    assert (status, answer["path"]) == (200, "renamed/n.ipynb")
    assert (outside / "n.ipynb").exists()
    client.file("renamed").unlink()
    (outside / "n.ipynb").unlink()
    _, found = await client.rewind("GET", "deleted")
    assert found["deleted"] == []


async def test_a_link_that_leads_to_itself_is_refused_in_words(client: Client) -> None:
    """As a checkpoint of it, too: the server's log has nothing to explain."""
    client.file("loop.ipynb").symlink_to("loop.ipynb")
    status, answer = await client.ask("POST", "api/contents", "loop.ipynb", "checkpoints")
    assert "loop.ipynb cannot be read" in answer["message"], (status, answer)
    assert "should not" not in answer["message"]


async def test_a_refusal_names_what_was_asked_for_and_no_place_outside(client: Client) -> None:
    """Where a link leads on the server's disk is nothing that was asked."""
    outside = client.root.parent / "outside"
    client.file("dangling.ipynb").symlink_to(outside / "none.ipynb")
    client.file("b.ipynb").symlink_to("a.ipynb")
    for path in ("b.ipynb", "a.ipynb"):
        status, answer = await client.rewind("GET", "history", path=path)
        assert answer["message"] == "a.ipynb has no history."
    for noun, more in (("history", {}), ("checkpoint", {"ref": "head"})):
        status, answer = await client.rewind("GET", noun, path="dangling.ipynb", **more)
        assert status == 404
        assert answer["message"].startswith("dangling.ipynb "), answer
        assert str(outside) not in str(answer)
    status, answer = await client.restore("dangling.ipynb", "0123456789abcdef")
    assert status == 404
    assert str(outside) not in str(answer)


async def test_a_notebook_whose_folder_is_a_file_now_is_reached_in_the_history(
    client: Client,
) -> None:
    """It was deleted with its folder, and a file took the folder's name."""
    client.file("work").mkdir()
    await client.put("work/a.ipynb", notebook("x = 1"))
    ids = [each["id"] for each in await client.checkpoints("work/a.ipynb")]
    client.file("work/a.ipynb").unlink()
    client.file("work").rmdir()
    client.file("work").write_text("a file")
    status, answer = await client.rewind("GET", "history", path="work/a.ipynb")
    assert status == 200 and [each["id"] for each in answer["checkpoints"]] == ids
    status, _ = await client.rewind("GET", "history", path="work/b.ipynb")
    assert status == 404
