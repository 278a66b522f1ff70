"""What is told of a failure of CRIU."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.kernels.images.criu import cause_of

DEVICE = "it uses a device that cannot be kept in an image, such as a graphics card"
LOGS = {
    "(00.01) Error (criu/files.c:1): Can't open /a: gone.": "Can't open /a: gone",
    "(00.01)   1001: Error (criu/mem.c:2): No room": "No room",
    "Error (criu/net.c:1253): net: Unexpected error: -1(Operation not permitted)\n"
    "Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self\n"
    "pie: 1001: Error (criu/pie/restorer.c:2185): Unable to create a thread: -17\n"
    "Error (criu/cr-restore.c:2331): Restoring FAILED.": "Unable to create a thread: -17",
    "(00.01) Error (criu/x.c:1): Unknown anon inode: io_uring": "it uses io_uring",
    "(00.2) Error (criu/files-ext.c:94): Can't dump file 17 of that type [20666] (chr 195:255)\n"
    "(00.2) Error (criu/cr-dump.c:1674): Dump files (pid: 406) failed": "it uses a graphics card",
    "Error (criu/files-ext.c:98): Can't dump file 36 of that type [20666] (chr 506:0)": DEVICE,
    "Error (criu/proc_parse.c:672): Can't handle non-regular mapping on 42's map 7fc0": DEVICE,
    "": "exit status 1",
}


@pytest.mark.parametrize(("log", "cause"), LOGS.items())
def test_the_first_error_that_stops_it_is_the_cause(tmp_path: Path, log: str, cause: str) -> None:
    """Without the place in CRIU's own code, and past what it goes on after."""
    (tmp_path / "log").write_text(log)
    assert cause_of({"error": "exit status 1"}, tmp_path / "log") == cause
