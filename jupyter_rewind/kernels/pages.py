"""Which pages of large memory were written since they were last asked about (Linux 6.7 and later).

The kernel marks pages for us: userfaultfd in its asynchronous write-protect mode, read and set
again by one PAGEMAP_SCAN. It needs no privilege, but containers may forbid it: `start` tries it
once and answers None where it does not work exactly as it should. Every doubt is answered "not
known", and the caller compares the content.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import sys
from typing import Any

from jupyter_rewind import clock

_SYSCALLS = {"x86_64": 323, "aarch64": 282}
_USER_MODE_ONLY = 1
_API, _REGISTER, _UNREGISTER, _PROTECT = 0xC018AA3F, 0xC020AA00, 0x8010AA01, 0xC018AA06
_SCAN = 0xC0606610
_API_VERSION = 0xAA
_FEATURE_UNPOPULATED, _FEATURE_ASYNC = 1 << 13, 1 << 15
_MODE_PROTECT = 1 << 1
_PROTECT_ON = 1
_SCAN_PROTECT, _SCAN_CHECK = 1 << 0, 1 << 1
_IS_WRITTEN = 1 << 1
_REGIONS = 512

Range = tuple[int, int]
"""Where it begins and how long it is, in bytes."""


class _Api(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("api", "features", "ioctls"))


class _Registration(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("start", "length", "mode", "ioctls"))


class _Protection(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("start", "length", "mode"))


class _Place(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("start", "length"))


class _Region(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("start", "end", "categories"))


class _Scan(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("size", "flags", "start", "end", "walk_end", "regions", "region_count"),
            *("max_pages", "inverted", "mask", "any_of", "returned"),
        )
    )


class PageTracker:
    """Watches ranges of this process's memory. Not to be used in a child after a fork."""

    def __init__(self, handle: int, pagemap: int) -> None:
        self._handle = handle
        self._pagemap = pagemap
        self._pid = clock.process()
        self._regions = (_Region * _REGIONS)()
        self._libc = ctypes.CDLL(None, use_errno=True)

    @classmethod
    def start(cls) -> PageTracker | None:
        """None where the system has no such thing, forbids it, or fails the test made of it."""
        number = _SYSCALLS.get(platform.machine())
        if not sys.platform.startswith("linux") or number is None:
            return None
        libc = ctypes.CDLL(None, use_errno=True)
        handle = libc.syscall(number, os.O_CLOEXEC | os.O_NONBLOCK | _USER_MODE_ONLY)
        if handle < 0:
            return None
        try:
            pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.close(handle)
            return None
        tracker = cls(handle, pagemap)
        if tracker._opens() and tracker._passes():
            return tracker
        tracker.close()
        return None

    def watch(self, address: int, length: int) -> bool:
        """True if writes to this memory are reported from now on. Watch first, then read it."""
        start, size = _whole_pages(address, length)
        registration = _Registration(start, size, _MODE_PROTECT, 0)
        if not size or not self._is_ours() or not self._ask(_REGISTER, registration):
            return False
        return self._ask(_PROTECT, _Protection(start, size, _PROTECT_ON))

    def changed(self, address: int, length: int) -> list[Range] | None:
        """The parts written since `watch` or the last call, from the start of the range; pages are
        whole, so a part may hold unchanged bytes. None where it is not known: all may be changed.

        They are watched again from this moment: read them after this call.
        """
        start, size = _whole_pages(address, length)
        if not self._is_ours():
            return None
        found: list[Range] = []
        at, end = start, start + size
        while at < end:
            scan = _Scan(
                ctypes.sizeof(_Scan), _SCAN_PROTECT | _SCAN_CHECK, at, end, 0,
                ctypes.addressof(self._regions), _REGIONS, 0, 0, _IS_WRITTEN, 0, _IS_WRITTEN,
            )  # fmt: skip
            count = self._libc.ioctl(self._pagemap, ctypes.c_ulong(_SCAN), ctypes.byref(scan))
            if count < 0:
                return None
            for region in self._regions[:count]:
                low, high = max(region.start, address), min(region.end, address + length)
                if high > low:
                    found.append((low - address, high - low))
            if scan.walk_end <= at:
                return None
            at = scan.walk_end
        return found

    def forget(self, address: int, length: int) -> None:
        """Writes to this memory are not reported any more."""
        if self._is_ours():
            self._ask(_UNREGISTER, _Place(*_whole_pages(address, length)))

    def close(self) -> None:
        """Nothing is watched any more."""
        for descriptor in (self._handle, self._pagemap):
            if descriptor >= 0:
                os.close(descriptor)
        self._handle = self._pagemap = -1

    def _is_ours(self) -> bool:
        return self._handle >= 0 and self._pid == clock.process()

    def _ask(self, request: int, argument: Any) -> bool:
        answer = self._libc.ioctl(self._handle, ctypes.c_ulong(request), ctypes.byref(argument))
        return bool(answer == 0)

    def _opens(self) -> bool:
        return self._ask(_API, _Api(_API_VERSION, _FEATURE_ASYNC | _FEATURE_UNPOPULATED, 0))

    def _passes(self) -> bool:
        """Some pages: a write by a program and one by the system are seen, once, and no other."""
        page = mmap.PAGESIZE
        with mmap.mmap(-1, 16 * page) as memory:
            memory[: 8 * page] = bytes([1]) * (8 * page)
            place = ctypes.c_char.from_buffer(memory)
            address = ctypes.addressof(place)
            try:
                return self._sees(memory, address, page)
            finally:
                self.forget(address, 16 * page)
                del place

    def _sees(self, memory: mmap.mmap, address: int, page: int) -> bool:
        if not self.watch(address, 16 * page) or self.changed(address, 16 * page) != []:
            return False
        memory[3 * page] = 7
        memory[12 * page] = 7
        reading, writing = os.pipe()
        try:
            os.write(writing, b"by the system")
            with memoryview(memory) as view, view[5 * page : 5 * page + 13] as target:
                os.readv(reading, [target])
        finally:
            os.close(reading)
            os.close(writing)
        written = self.changed(address, 16 * page)
        expected = [(number * page, page) for number in (3, 5, 12)]
        return written == expected and self.changed(address, 16 * page) == []


def _whole_pages(address: int, length: int) -> Range:
    first = address // mmap.PAGESIZE * mmap.PAGESIZE
    end = -(-(address + length) // mmap.PAGESIZE) * mmap.PAGESIZE
    return first, end - first if length else 0
