"""Pages that were written are told of: all of them, whoever wrote them, and once."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.kernels import pages
from jupyter_rewind.kernels.pages import PageTracker

PAGE = mmap.PAGESIZE


@pytest.fixture(scope="module")
def tracker() -> Iterator[PageTracker]:
    made = PageTracker.start()
    if made is None:
        pytest.skip("this system has no asynchronous write protection, or forbids it")
    yield made
    made.close()


def place_of(array: np.ndarray) -> tuple[int, int]:
    return array.__array_interface__["data"][0], array.nbytes


WRITES = st.lists(
    st.lists(st.tuples(st.integers(0, 299_999), st.integers(1, 30_000), st.booleans()), max_size=5),
    max_size=6,
)


@given(rounds=WRITES)
def test_every_changed_byte_is_in_what_is_told(
    tracker: PageTracker, rounds: list[list[tuple[int, int, bool]]]
) -> None:
    """Compared with a copy: no change is missed, and no page is told of that nobody wrote."""
    array = np.zeros(300_000, np.uint8)
    address, length = place_of(array)
    assert tracker.watch(address, length)
    seen = array.copy()
    for writes in rounds:
        touched = set()
        for start, size, by_the_system in writes:
            part = array[start : start + size]
            if by_the_system:
                with open("/dev/zero", "rb", buffering=0) as zeros:
                    zeros.readinto(memoryview(part))
            else:
                part += 1
            first, last = address + start, address + start + len(part) - 1
            touched.update(range(first // PAGE, last // PAGE + 1))
        found = tracker.changed(address, length)
        assert found is not None
        told = np.zeros(length, bool)
        for start, size in found:
            told[start : start + size] = True
        assert not (array != seen)[~told].any()
        edges = {address // PAGE, (address + length - 1) // PAGE}
        numbers = {
            (address + at) // PAGE
            for start, size in found
            for at in range(start, start + size, PAGE)
        } | {(address + start + size - 1) // PAGE for start, size in found}
        # The pages at the ends hold other things too, which this test's own work may write.
        assert numbers - edges <= touched
        seen = array.copy()
    tracker.forget(address, length)


def test_nothing_is_told_of_memory_that_was_only_read(tracker: PageTracker) -> None:
    """Sums, hashes and copies write nothing."""
    with mmap.mmap(-1, 64 * PAGE) as memory:
        array = np.frombuffer(memory, np.uint8)
        array[:] = 1
        address, length = place_of(array)
        assert tracker.watch(address, length)
        assert array.sum() == length and array.copy().tobytes() == bytes(memory)
        assert tracker.changed(address, length) == []
        array[5 * PAGE + 3] = 9
        assert tracker.changed(address, length) == [(5 * PAGE, PAGE)]
        assert tracker.changed(address, length) == []
        tracker.forget(address, length)
        del array


def test_new_memory_at_the_same_place_is_not_known(tracker: PageTracker) -> None:
    """It is not taken for the old, which was watched."""
    libc = ctypes.CDLL(None)
    libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, (ctypes.c_void_p, *_MMAP)
    readable, private, fixed = 3, 0x22, 0x10
    address = libc.mmap(None, 8 * PAGE, readable, private, -1, 0)
    try:
        assert tracker.watch(address, 8 * PAGE)
        ctypes.memset(address, 1, 8 * PAGE)
        assert tracker.changed(address, 8 * PAGE) == [(0, 8 * PAGE)]
        # The second half is given back, and mapped anew.
        half = address + 4 * PAGE
        assert libc.mmap(half, 4 * PAGE, readable, private | fixed, -1, 0) == half
        assert tracker.changed(address, 8 * PAGE) is None
        assert tracker.changed(half, 4 * PAGE) is None
    finally:
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(8 * PAGE))


_MMAP = (ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)


def test_memory_that_is_not_watched_is_not_known(tracker: PageTracker) -> None:
    """The caller compares the content then."""
    with mmap.mmap(-1, 8 * PAGE) as memory:
        array = np.frombuffer(memory, np.uint8)
        assert tracker.changed(*place_of(array)) is None
        del array


def test_a_child_is_told_nothing(tracker: PageTracker) -> None:
    """Its memory is another; it must compare."""
    array = np.zeros(300_000, np.uint8)
    address, length = place_of(array)
    assert tracker.watch(address, length)
    child = os.fork()
    if child == 0:
        known = tracker.watch(address, length) or tracker.changed(address, length) is not None
        os._exit(1 if known else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert tracker.changed(address, length) is not None
    tracker.forget(address, length)


def test_without_it_the_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another processor, a refusing system, a test that fails: no tracker, and no error."""
    monkeypatch.setattr(platform, "machine", lambda: "other")
    assert PageTracker.start() is None
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setitem(pages._SYSCALLS, "x86_64", 10_000)
    assert PageTracker.start() is None
    monkeypatch.undo()
    monkeypatch.setattr(PageTracker, "_sees", lambda *_: False)
    assert PageTracker.start() is None
