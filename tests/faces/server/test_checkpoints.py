"""Jupyter's own checkpoints interface over REST, as JupyterLab and Notebook use it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import nbformat
import pytest
from nbformat import v3

from tests.faces.server.support import BROWSER, CORPUS, Client, notebook, written

pytestmark = pytest.mark.usefixtures("jp_serverapp")


async def test_each_save_becomes_a_checkpoint_oldest_first(client: Client) -> None:
    """Five saves are five checkpoints, listed oldest first, each with the bytes of its moment."""
    states = []
    for number in range(5):
        await client.put("a.ipynb", notebook(f"x = {number}"))
        states.append(client.file("a.ipynb").read_bytes())
    found = await client.checkpoints("a.ipynb")
    assert [await client.content("a.ipynb", each["id"]) for each in found] == states
    # As moments, not as text: a moment on the full second is spelled without a fraction.
    moments = [datetime.fromisoformat(each["last_modified"]) for each in found]
    assert moments == sorted(moments)


async def test_ids_fit_jupyters_route_and_facts_ride_along(client: Client) -> None:
    """Ids fit the route; reason, counts, size and kind come with each checkpoint."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 2", "y = 1"))
    first, second = await client.checkpoints("a.ipynb")
    assert re.fullmatch(r"[\w-]+", second["id"])
    assert (first["reason"], second["reason"]) == ("save", "save")
    assert second["counts"] == {"cells": 2, "added": 1, "changed": 1, "removed": 0}
    assert second["size"] == client.file("a.ipynb").stat().st_size
    assert second["kind"] == "notebook"


async def test_equal_content_makes_no_second_checkpoint(client: Client) -> None:
    """Saving twice without a change leaves one checkpoint."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 1"))
    assert len(await client.checkpoints("a.ipynb")) == 1


async def test_what_a_page_opens_is_no_checkpoint_that_the_user_asked_for(client: Client) -> None:
    """JupyterLab asks for one as soon as it opens a file that has none; the user's own save, or a
    program's request, means it."""
    for name, agent, reasons in (
        ("a.ipynb", BROWSER, ["autosave", "manual"]),
        ("b.ipynb", "a script", ["manual", "manual"]),
    ):
        client.file(name).write_bytes(written(notebook("x = 1")))
        for reason in reasons:
            assert (await client.checkpoint(name, agent=agent))["reason"] == reason
        assert len(await client.checkpoints(name)) == 1


async def test_a_browsers_save_is_an_autosave_until_the_user_asks(client: Client) -> None:
    """Lab's save is a PUT and a POST: the POST right after it makes the autosave a manual one."""
    await client.put("a.ipynb", notebook("x = 1"), agent=BROWSER)
    await client.put("a.ipynb", notebook("x = 2"), agent=BROWSER)
    made = await client.checkpoint("a.ipynb")
    found = await client.checkpoints("a.ipynb")
    assert [each["reason"] for each in found] == ["autosave", "manual"]
    assert made["id"] == found[-1]["id"]


async def test_restore_brings_back_the_very_bytes_and_keeps_the_present(client: Client) -> None:
    """After a restore the file has the old bytes, and the state before it is in the history."""
    await client.put("a.ipynb", notebook("x = 1"))
    old = client.file("a.ipynb").read_bytes()
    await client.put("a.ipynb", notebook("x = 2"))
    new = client.file("a.ipynb").read_bytes()
    first = (await client.checkpoints("a.ipynb"))[0]
    assert (await client.restore("a.ipynb", first["id"]))[0] == 204
    assert client.file("a.ipynb").read_bytes() == old
    contents = [
        await client.content("a.ipynb", each["id"]) for each in await client.checkpoints("a.ipynb")
    ]
    assert new in contents
    assert (await client.content("a.ipynb", first["id"])) == old


async def test_restore_keeps_what_was_changed_outside_jupyter(client: Client) -> None:
    """Edits made by another program just before a restore are kept, too."""
    await client.put("a.ipynb", notebook("x = 1"))
    first = (await client.checkpoints("a.ipynb"))[0]
    other = written(notebook("by hand"))
    client.file("a.ipynb").write_bytes(other)
    await client.restore("a.ipynb", first["id"])
    kept = [
        each for each in await client.checkpoints("a.ipynb") if each["reason"] == "before-restore"
    ]
    assert [await client.content("a.ipynb", each["id"]) for each in kept] == [other]


@pytest.mark.parametrize("damage", ["deleted", "emptied", "truncated", "garbage"])
async def test_restore_works_on_a_damaged_file(client: Client, damage: str) -> None:
    """A file that is gone, empty or broken is restored through Jupyter's own interface."""
    await client.put("a.ipynb", notebook("x = 1"))
    file = client.file("a.ipynb")
    old = file.read_bytes()
    first = (await client.checkpoints("a.ipynb"))[0]
    if damage == "deleted":
        assert (await client.delete("a.ipynb"))[0] == 204
    else:
        file.write_bytes({"emptied": b"", "truncated": old[:40], "garbage": b"\0\xff"}[damage])
    assert (await client.restore("a.ipynb", first["id"]))[0] == 204
    assert file.read_bytes() == old


async def test_a_restored_checkpoint_stays_as_it_was(client: Client) -> None:
    """Saving after a restore does not change the checkpoint that was restored."""
    await client.put("a.ipynb", notebook("x = 1"))
    old = client.file("a.ipynb").read_bytes()
    first = (await client.checkpoints("a.ipynb"))[0]
    await client.restore("a.ipynb", first["id"])
    await client.put("a.ipynb", notebook("x = 3"))
    assert await client.content("a.ipynb", first["id"]) == old


async def test_a_history_follows_renames_of_files_and_folders(client: Client) -> None:
    """After renaming the file and then its folder, every checkpoint is still there."""
    client.file("d").mkdir()
    await client.put("d/a.ipynb", notebook("x = 1"))
    await client.put("d/a.ipynb", notebook("x = 2"))
    before = [each["id"] for each in await client.checkpoints("d/a.ipynb")]
    assert (await client.rename("d/a.ipynb", "d/b.ipynb"))[0] == 200
    assert [each["id"] for each in await client.checkpoints("d/b.ipynb")] == before
    assert (await client.rename("d", "e"))[0] == 200
    assert [each["id"] for each in await client.checkpoints("e/b.ipynb")] == before
    assert await client.checkpoints("d/b.ipynb") == []


@pytest.mark.parametrize("kind", ["unseen", "edited", "empty", "spelled otherwise", "text"])
async def test_a_duplicate_knows_its_source_whatever_that_is(client: Client, kind: str) -> None:
    """And not another copy that holds the same, nor one in another folder."""
    name = "a.txt" if kind == "text" else "a.ipynb"
    raw = written(notebook("" if kind == "empty" else "the same in all"))
    if kind == "spelled otherwise":
        raw = json.dumps(json.loads(raw)).encode()
    if kind in ("edited", "spelled otherwise"):
        await client.put(name, notebook("before"))
    client.file(name).write_bytes(raw)
    client.file("d").mkdir()
    for folder in ("", "", "d"):
        status, made = await client.ask("POST", "api/contents", folder, body={"copy_from": name})
        assert status == 201
        _, copy = await client.rewind("GET", "history", path=made["path"])
        assert copy["came_from"] == name


async def test_a_copy_knows_where_it_came_from(client: Client) -> None:
    """A copy has its own history, which names the file it came from."""
    await client.put("a.ipynb", notebook("x = 1"))
    _, made = await client.ask("POST", "api/contents", body={"copy_from": "a.ipynb"})
    _, source = await client.rewind("GET", "history", path="a.ipynb")
    _, copy = await client.rewind("GET", "history", path=made["path"])
    assert copy["history"] != source["history"]
    assert copy["came_from"] == "a.ipynb"


async def test_deleting_a_file_keeps_its_history(client: Client) -> None:
    """Jupyter's delete ends in a tombstone: the checkpoints are listed and restored after it."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 2"))
    await client.delete("a.ipynb")
    assert len(await client.checkpoints("a.ipynb")) == 2


async def test_what_only_the_disk_holds_is_kept_before_deletion(client: Client) -> None:
    """A notebook that Jupyter never saved is in the history after it was deleted in Jupyter."""
    raw = written(notebook("never saved here"))
    client.file("a.ipynb").write_bytes(raw)
    await client.delete("a.ipynb")
    found = await client.checkpoints("a.ipynb")
    assert [each["reason"] for each in found] == ["before-delete"]
    assert await client.content("a.ipynb", found[0]["id"]) == raw


async def test_notebooks_of_a_deleted_folder_can_come_back(client: Client) -> None:
    """Deleting a folder keeps the notebooks in it, saved in Jupyter or not."""
    client.file("d/e").mkdir(parents=True)
    await client.put("d/a.ipynb", notebook("x = 1"))
    client.file("d/e/b.ipynb").write_bytes(written(notebook("y = 1")))
    raws = {path: client.file(path).read_bytes() for path in ("d/a.ipynb", "d/e/b.ipynb")}
    assert (await client.delete("d"))[0] == 204
    _, answer = await client.rewind("GET", "deleted")
    assert {each["path"] for each in answer["deleted"]} == set(raws)
    for path, raw in raws.items():
        status, _ = await client.rewind("POST", "undelete", body={"path": path})
        assert status == 200
        assert client.file(path).read_bytes() == raw


async def test_text_files_have_checkpoints_too(client: Client) -> None:
    """A script edited in Jupyter is kept and restored byte for byte."""
    await client.put_text("a.py", "x = 1\n")
    await client.put_text("a.py", "x = 2\n")
    first = (await client.checkpoints("a.py"))[0]
    assert first["kind"] == "file"
    await client.restore("a.py", first["id"])
    assert client.file("a.py").read_bytes() == b"x = 1\n"


async def test_an_unknown_checkpoint_is_not_found(client: Client) -> None:
    """Restoring what does not exist is a 404 in words and changes nothing."""
    await client.put("a.ipynb", notebook("x = 1"))
    before = client.file("a.ipynb").read_bytes()
    status, answer = await client.restore("a.ipynb", "f" * 16)
    assert status == 404
    assert answer["message"]
    assert client.file("a.ipynb").read_bytes() == before


async def test_a_checkpoint_is_deleted_unless_protected(client: Client) -> None:
    """REST's delete drops one checkpoint, but not one with a label."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 2"))
    first, second = await client.checkpoints("a.ipynb")
    await client.rewind(
        "POST", "labels", body={"path": "a.ipynb", "ref": second["id"], "label": "good"}
    )
    parts = ("api/contents", "a.ipynb", "checkpoints")
    assert (await client.ask("DELETE", *parts, first["id"]))[0] == 204
    assert (await client.ask("DELETE", *parts, second["id"]))[0] == 409
    (left,) = await client.checkpoints("a.ipynb")
    assert (left["id"], left["label"]) == (second["id"], "good")


async def test_the_whole_model_serves_as_an_id(client: Client) -> None:
    """Callers such as nbdime hand over the listed model instead of its id."""
    await client.put("a.ipynb", notebook("x = 1"))
    checkpoints = client.server.contents_manager.checkpoints
    (model,) = await checkpoints.list_checkpoints("a.ipynb")
    found = await checkpoints.get_notebook_checkpoint(model, "a.ipynb")
    assert found["content"]["cells"][0]["source"] == "x = 1"


async def test_stock_checkpoints_are_taken_over_and_left_alone(client: Client) -> None:
    """What stock Jupyter left in .ipynb_checkpoints is the first checkpoint of the history."""
    old = written(notebook("stock"))
    legacy = client.file(".ipynb_checkpoints/a-checkpoint.ipynb")
    legacy.parent.mkdir()
    legacy.write_bytes(old)
    client.file("a.ipynb").write_bytes(written(notebook("now")))
    await client.put("a.ipynb", notebook("next"))
    found = await client.checkpoints("a.ipynb")
    assert [each["reason"] for each in found] == ["imported", "external-change", "save"]
    assert await client.content("a.ipynb", found[0]["id"]) == old
    assert legacy.read_bytes() == old


async def test_the_first_save_of_a_new_notebook_is_kept(client: Client) -> None:
    """A notebook made through "New" has its first checkpoint without anyone asking."""
    _, made = await client.ask("POST", "api/contents", body={"type": "notebook"}, agent=BROWSER)
    assert len(await client.checkpoints(made["path"])) == 1


def _corpus() -> list[Any]:
    found = sorted((CORPUS / "notebooks").rglob("*.ipynb"), key=lambda path: path.stat().st_size)
    return found[:: max(1, len(found) // 6)][:6]


@pytest.mark.parametrize("source", _corpus(), ids=lambda path: path.name)
async def test_real_notebooks_come_back_byte_for_byte(client: Client, source: Any) -> None:
    """Save, list, restore, delete, undelete: the same bytes each time."""
    nb = nbformat.reads(source.read_text("utf-8"), as_version=4)
    assert (await client.put("real.ipynb", nb))[0] in (200, 201)
    raw = client.file("real.ipynb").read_bytes()
    await client.put("real.ipynb", notebook("something else"))
    first = (await client.checkpoints("real.ipynb"))[0]
    await client.restore("real.ipynb", first["id"])
    assert client.file("real.ipynb").read_bytes() == raw
    await client.delete("real.ipynb")
    assert not client.file("real.ipynb").exists()
    status, answer = await client.rewind("POST", "undelete", body={"path": "real.ipynb"})
    assert status == 200, answer
    assert client.file("real.ipynb").read_bytes() == raw


async def test_old_notebook_formats_are_kept_as_they_are(client: Client) -> None:
    """A notebook in format 3 on disk is kept and restored byte for byte."""
    nb = v3.new_notebook(worksheets=[v3.new_worksheet(cells=[v3.new_code_cell(input="print 1")])])
    raw = nbformat.writes(nb, version=3).encode()
    client.file("old.ipynb").write_bytes(raw)
    made = await client.checkpoint("old.ipynb")
    client.file("old.ipynb").unlink()
    await client.restore("old.ipynb", made["id"])
    assert client.file("old.ipynb").read_bytes() == raw


def _formats() -> list[Any]:
    folder = CORPUS / "damaged-and-formats"
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.skipif(not _formats(), reason="the corpus is not here")
async def test_whatever_format_comes_back_byte_for_byte(client: Client) -> None:
    """Damaged notebooks and foreign formats: kept as they lie on disk, restored, undeleted."""
    for number, source in enumerate(_formats()):
        raw, path = source.read_bytes(), f"{number}{source.suffix}"
        client.file(path).write_bytes(raw)
        made = await client.checkpoint(path)
        client.file(path).write_bytes(b"broken")
        assert (await client.restore(path, made["id"]))[0] == 204
        assert client.file(path).read_bytes() == raw, source
        assert (await client.delete(path))[0] == 204
        status, answer = await client.rewind("POST", "undelete", body={"path": path})
        assert status == 200, answer
        assert client.file(path).read_bytes() == raw, source
