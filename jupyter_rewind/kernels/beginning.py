"""How a run begins: of which kernel, at which notebook, or where the one before it stood."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from jupyter_rewind import clock
from jupyter_rewind.model.execution import Run
from jupyter_rewind.model.ids import RunId


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kernel process is at home: Jupyter's id of it, its connection file, its notebook, the
    program that runs that from beginning to end. What is not known, or is none, is empty."""

    kernel: str = ""
    connection: str = ""
    path: str = ""
    program: str = ""


def new_run(place: Place) -> Run:
    """A run that begins now, of this process."""
    return Run(
        id=RunId(clock.new_id()),
        kernel=place.kernel,
        connection=place.connection,
        pid=clock.pid(),
        host=clock.host(),
        boot=clock.boot_id(),
        python=".".join(map(str, sys.version_info[:3])),
        executable=sys.executable,
        path=place.path,
        started_ns=clock.now_ns(),
        program=place.program,
    )


def run_after(run: Run, place: Place) -> Run:
    """What `run` is in a process that came back from an image: the same one, unless it is another
    kernel there, beside the first."""
    is_same = run.kernel == place.kernel
    return replace(run, connection=place.connection) if is_same else new_run(place)
