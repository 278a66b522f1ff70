"""A segment is checked while it arrives, piece by piece."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.store.framing import seal_of
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.fetching import Walk
from jupyter_rewind.store.repository import Repository
from tests.support.stores import QuickFiles


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, str, bytes]:
    """A segment of a few commits, small and large."""
    folder = tmp_path_factory.mktemp("walk")
    with Repository.open(folder / "store", key_folder=folder / "keys", files=QuickFiles()) as store:
        for size in (10, 5000, 0, 70_000, 300):
            with store.transaction() as change:
                change.add("mark", keys=["k"], body={}, roots=change.put(os.urandom(size)))
        layout = store.layout
    (path,) = layout.segments.iterdir()
    return layout, path.name, path.read_bytes()


def walk_over(written: tuple[Layout, str, bytes], data: bytes, cuts: list[int], end: int) -> bool:
    layout, name, _ = written
    path = layout.folder / "arriving"
    path.write_bytes(b"")
    descriptor = os.open(path, os.O_RDWR)
    try:
        walk = Walk(descriptor, seal_of(layout, name), end)
        at = 0
        for cut in [*sorted(cuts), len(data)]:
            os.write(descriptor, data[at:cut])
            at = cut
            walk.go_on(at)
        return walk.is_whole()
    finally:
        os.close(descriptor)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_only_what_was_written_is_whole(
    written: tuple[Layout, str, bytes], data: st.DataObject
) -> None:
    """However it is cut into pieces; and with any byte changed, or any number of them missing, it
    is not."""
    _, _, whole = written
    places = st.integers(0, len(whole) - 1)
    cuts = data.draw(st.lists(places, max_size=6))
    assert walk_over(written, whole, cuts, len(whole))
    place = data.draw(places)
    changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    assert not walk_over(written, changed, cuts, len(whole))
    shorter = whole[:place]
    assert not walk_over(written, shorter, [c for c in cuts if c < place], len(whole))
    assert not walk_over(written, whole + b"\0", cuts, len(whole))
