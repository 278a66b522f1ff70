"""What Rewind in a kernel had open when an image was made stays with the kernel's first life."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_rewind.kernels.hosting.record import Place
from jupyter_rewind.kernels.images.firstlife import drop_earlier, leave_behind
from jupyter_rewind.kernels.images.freezer import LIST
from jupyter_rewind.kernels.images.openfiles import check_files, read_files
from jupyter_rewind.store.repository import Repository
from tests.images.test_storing import list_of


def prepare(folder: Path, place: Place, store: Path, *names: Path) -> list[Path]:
    """The names in an image that had these files open, once it is prepared."""
    (folder / LIST).write_bytes(
        list_of(*((str(name), os.O_RDWR, name.stat().st_size) for name in names))
    )
    leave_behind(folder, store, place)
    files = read_files((folder / LIST).read_bytes())
    assert check_files(files).problems == ()
    return [Path(each.name) for each in files]


def test_files_of_the_store_are_others_in_a_second_life(tmp_path: Path) -> None:
    """As large, and in a folder of the kernel's own; the user's files stay what they are. A third
    life has others again, and only the newest are kept."""
    image, store, data = tmp_path / "image", tmp_path / "store", tmp_path / "data.csv"
    place = Place(tmp_path / "kernel.json", "k1")
    for folder in (image, store):
        folder.mkdir()
    place.make()
    segment = store / "segment"
    for file in (segment, data, place.life):
        file.write_bytes(b"12345678")
    second = prepare(image, place, store, segment, data, place.life, segment)
    assert second[1] == data
    assert second[0] == second[3]
    mine = [second[0], second[2]]
    assert all(each.parent.parent == place.folder for each in mine)
    assert [each.stat().st_size for each in mine] == [8, 8]
    assert segment.read_bytes() == b"12345678"
    third = prepare(image, place, store, second[0], second[2])
    assert not set(third) & set(second)
    drop_earlier(place)
    assert [each.exists() for each in (*mine, *third)] == [False, False, True, True]


def test_a_kernel_may_have_another_store_than_its_images(tmp_path: Path) -> None:
    """Its files are left behind, too; a folder that only looks like a store is the user's."""
    place = Place(tmp_path / "kernel.json", "k1")
    place.make()
    likeness = tmp_path / "likeness"
    (likeness / "segments").mkdir(parents=True)
    (likeness / "config").write_text("[core]")
    with Repository.open(tmp_path / "other", key_folder=tmp_path / "keys") as other:
        segment, mine = other.layout.segments / "s1", likeness / "segments" / "mine"
        for file in (segment, mine):
            file.write_bytes(b"1")
        found = prepare(tmp_path, place, tmp_path / "store", segment, mine)
    assert found[0].parent.parent == place.folder
    assert found[1] == mine


def test_an_image_without_such_files_is_left_as_it_is(tmp_path: Path) -> None:
    """As those of kernels without Rewind in them."""
    data = tmp_path / "data.csv"
    data.write_text("1")
    place = Place(tmp_path / "kernel.json", "k1")
    place.make()
    assert prepare(tmp_path, place, tmp_path / "store", data) == [data]
    assert list(place.folder.iterdir()) == []
