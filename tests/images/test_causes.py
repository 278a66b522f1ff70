"""What is told of a failure of CRIU."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.kernels.images.criu import cause_of

LOGS = {
    "(00.01) Error (criu/files.c:1): Can't open /a: gone.": "Can't open /a: gone",
    "(00.01)   1001: Error (criu/mem.c:2): No room": "No room",
    "Error (criu/net.c:1253): net: Unexpected error: -1(Operation not permitted)\n"
    "Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self\n"
    "pie: 1001: Error (criu/pie/restorer.c:2185): Unable to create a thread: -17\n"
    "Error (criu/cr-restore.c:2331): Restoring FAILED.": "Unable to create a thread: -17",
    "(00.01) Error (criu/x.c:1): Unknown anon inode: io_uring": "it uses io_uring",
    "": "exit status 1",
}


@pytest.mark.parametrize(("log", "cause"), LOGS.items())
def test_the_first_error_that_stops_it_is_the_cause(tmp_path: Path, log: str, cause: str) -> None:
    """Without the place in CRIU's own code, and past what it goes on after."""
    (tmp_path / "log").write_text(log)
    assert cause_of({"error": "exit status 1"}, tmp_path / "log") == cause
