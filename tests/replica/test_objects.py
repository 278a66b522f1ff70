"""The contract that every place of a replica keeps, tried on each of them for real."""

from __future__ import annotations

import threading

import pytest

from jupyter_rewind.errors import NotFound
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.probe import require_conditions


def test_an_object_is_made_once(objects: Objects) -> None:
    """The first put of a name wins; a second one changes nothing and says so."""
    assert objects.create("a/one", b"first") is True
    assert objects.create("a/one", b"second") is False
    assert objects.get("a/one") == b"first"


def test_what_is_not_there_is_not_found(objects: Objects) -> None:
    """Absence is an answer of its own, and never an empty object."""
    with pytest.raises(NotFound):
        objects.get("a/none")
    with pytest.raises(NotFound):
        objects.get_range("a/none", 0, 1)
    assert objects.size("a/none") is None
    assert list(objects.find("a/")) == []
    assert objects.folders("a/") == []


def test_bytes_come_back(objects: Objects) -> None:
    """All sizes, empty and large, whole and in part."""
    large = bytes(range(256)) * (9 << 12)
    for key, data in (("b/empty", b""), ("b/large", large)):
        assert objects.create(key, data)
        assert objects.get(key) == data
        assert objects.size(key) == len(data)
    assert objects.get_range("b/large", 5, 9) == large[5:9]
    assert objects.get_range("b/large", 1 << 20, (1 << 20) + 7) == large[1 << 20 : (1 << 20) + 7]


def test_lists_are_in_order_and_go_on_behind_a_key(objects: Objects) -> None:
    """More names than a server gives at once; those of other prefixes stay out."""
    names = [f"c/{number:04d}" for number in range(0, 1_100, 10)]
    for name in reversed(names):
        assert objects.create(name, name.encode())
    assert objects.create("cc/other", b"") and objects.create("c/deep/er", b"12")
    assert [each.key for each in objects.find("c/")] == sorted([*names, "c/deep/er"])
    assert [each.key for each in objects.find("c/", after="c/1080")] == ["c/1090", "c/deep/er"]
    assert [each.size for each in objects.find("c/deep/")] == [2]


def test_folders_are_told_without_what_is_in_them(objects: Objects) -> None:
    """One look tells who has written, however much they wrote."""
    for key in ("d/one/1", "d/one/2", "d/two/deep/1", "e/three/1"):
        assert objects.create(key, b"x")
    assert objects.folders("d/") == ["one", "two"]
    assert objects.folders("d/two/") == ["deep"]


def test_deleted_is_gone(objects: Objects) -> None:
    """Twice is no error, and the name can be made again."""
    assert objects.create("f/one", b"first")
    objects.delete("f/one")
    objects.delete("f/one")
    assert objects.size("f/one") is None
    assert objects.create("f/one", b"second")
    assert objects.get("f/one") == b"second"


def test_one_of_many_wins(request: pytest.FixtureRequest, objects: Objects) -> None:
    """Eight at once put the same name: one is told that it made it, and its bytes stand there."""
    if "moto" in request.node.name:
        pytest.skip("moto looks and then writes: it is no server to race on")
    won: list[bytes] = []
    start = threading.Barrier(8)

    def put(number: int) -> None:
        data = b"%d" % number
        start.wait()
        if objects.create("g/contested", data):
            won.append(data)

    threads = [threading.Thread(target=put, args=[number]) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    assert [objects.get("g/contested")] == won


def test_the_probe_passes(objects: Objects) -> None:
    """A server that keeps its word is taken, and nothing stays behind."""
    require_conditions(objects)
    assert list(objects.find("probe/")) == []
