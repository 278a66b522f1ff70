"""Saves on disks that are full or nearly so: refused in words before anything is touched."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from jupyter_rewind.faces.server import request
from tests.faces.server.support import BROWSER, Client, notebook


async def test_a_full_disk_leaves_the_notebook_whole(client: Client, monkeypatch: Any) -> None:
    """Where the disk has no room for the save, it is refused before the file is touched."""
    await client.put("a.ipynb", notebook("x = 1"))
    before = client.file("a.ipynb").read_bytes()
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    status, answer = await client.put("a.ipynb", notebook("x = 2"))
    assert status == 507
    assert "disk is full" in answer["message"]
    assert client.file("a.ipynb").read_bytes() == before


async def test_a_save_that_makes_the_file_smaller_needs_no_room(
    client: Client, monkeypatch: Any
) -> None:
    """Where Jupyter writes without a copy beside the file, clearing a notebook's outputs on a full
    disk goes through; one that would grow is refused, and whole."""
    await client.put("a.ipynb", notebook("x" * 50_000))
    client.server.contents_manager.use_atomic_writing = False
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert (await client.put("a.ipynb", notebook("x = 1")))[0] == 200
    before = client.file("a.ipynb").read_bytes()
    assert (await client.put("a.ipynb", notebook("x" * 50_000)))[0] == 507
    assert client.file("a.ipynb").read_bytes() == before


@pytest.mark.parametrize("copies", [True, False])
async def test_where_there_is_much_room_nothing_is_counted(
    client: Client, monkeypatch: Any, copies: bool
) -> None:
    """Going through the body costs the user 3 ms a MB: only a disk that may be too full is worth
    it."""
    client.server.contents_manager.use_atomic_writing = copies
    counted: list[object] = []
    monkeypatch.setattr(request, "indented_bytes", counted.append)
    monkeypatch.setattr(request, "written_bytes", counted.append)
    status, _ = await client.put("a.ipynb", notebook("x = 1"), agent=BROWSER)
    assert status in (200, 201)
    assert counted == []


async def test_a_save_in_place_needs_no_room_for_what_is_there_already(
    client: Client, monkeypatch: Any
) -> None:
    """Of a large notebook that is saved again without a copy beside it."""
    large = notebook(*("x" * 50_000 for _ in range(4)))
    await client.put("a.ipynb", large)
    client.server.contents_manager.use_atomic_writing = False
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    assert (await client.put("a.ipynb", large))[0] == 200


@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize(("deep", "status"), [(True, 507), (False, 200)])
async def test_a_save_needs_the_room_that_it_takes_in_the_file(
    client: Client, monkeypatch: Any, deep: bool, status: int, copies: bool
) -> None:
    """Numbers deep within a picture's data take a line each, with its indentation, in the file;
    text with as many commas takes what it took on its way."""
    await client.put("a.ipynb", notebook("x = 1"))
    client.server.contents_manager.use_atomic_writing = copies
    nb = notebook("x = 1")
    if deep:
        data: Any = [1] * 30_000
        for _ in range(5):
            data = [data]
        picture = {
            "output_type": "display_data",
            "metadata": {},
            "data": {"application/json": data},
        }
        nb["cells"][0]["outputs"] = [picture]
    else:
        nb["cells"][0]["source"] = "1," * 30_000
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=250_000))
    assert (await client.put("a.ipynb", nb))[0] == status


@pytest.mark.parametrize(("total", "free"), [(0, 0), (-1, 10), (100, -1), (10, 100)])
async def test_a_disk_that_tells_no_size_is_not_full(
    client: Client, monkeypatch: Any, total: int, free: int
) -> None:
    """On ramfs and some FUSE file systems, which tell no size or nonsense, every save goes on."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(total=total, free=free))
    assert (await client.put("a.ipynb", notebook("x = 1")))[0] == 201
    assert (await client.put("a.ipynb", notebook("x = 2")))[0] == 200
