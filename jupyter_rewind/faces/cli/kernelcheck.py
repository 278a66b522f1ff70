"""What `doctor` finds out about kernels: which of them keep their states, what the rest lack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_rewind.faces.cli.findings import Finding, State
from jupyter_rewind.model.shell import quoted

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

_HEARD = "its variables are not kept, and its cells and outputs only by a server that runs Rewind"


def check_kernels(settings: Rewind) -> Iterator[Finding]:
    """One finding for each kernel that Jupyter knows of."""
    from jupyter_rewind.revival import find_environments

    if not settings.kernels_enabled:
        text = "kernels keep nothing: kernels.enabled is false"
        yield Finding("kernels", State.OFF, text, "jupyter rewind enable")
        return
    for each in find_environments():
        name = f"kernel {each.name}"
        if not each.python:
            text = f"{each.title} is no IPython: {_HEARD}"
            yield Finding(name, State.NOTE, text)
        elif each.problem:
            yield Finding(name, State.NOTE, f"{each.python} could not be asked: {each.problem}")
        elif not each.installed:
            text = f"{each.title} starts as always, for {each.python} has no Rewind: {_HEARD}"
            mend = f"{quoted(each.python)} -m pip install jupyter-rewind"
            yield Finding(name, State.NOTE, text, mend)
        elif not each.automatic:
            text = f"{each.title} has Rewind and does not load it by itself"
            yield Finding(name, State.PROBLEM, text, "jupyter rewind enable")
        else:
            yield Finding(name, State.ON, f"{each.title} keeps its cells and variables")
