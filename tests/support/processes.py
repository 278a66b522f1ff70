"""Work done in another process: in a fork of this one, or without its rights."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534


def run_in_fork(work: Callable[[], None]) -> None:
    """`work` runs in a fork of this very process; its failure is ours."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "see the child's traceback"


def run_unprivileged(work: Callable[[], None]) -> None:
    """`work` runs in a fork whom permissions stop, also where root runs the tests."""

    def child() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        work()

    run_in_fork(child)


@contextmanager
def anybodys_folder() -> Iterator[Path]:
    """A folder that a user without rights can reach."""
    with tempfile.TemporaryDirectory(prefix="rewind-anybody-") as name:
        os.chmod(name, 0o755)
        yield Path(name)
