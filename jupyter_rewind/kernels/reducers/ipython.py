"""The shell and the kernel themselves: never kept, always those that run."""

from __future__ import annotations

import sys
from typing import Any

from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add_named("IPython.core.interactiveshell.InteractiveShell", reduce_shell)
    registry.add_named("ipykernel.kernelbase.Kernel", reduce_part)
    registry.add_named("IPython.core.history.HistoryManager", reduce_part)
    registry.add_named("IPython.core.autocall.IPyAutocall", reduce_part)
    registry.add_named("IPython.core.display_functions.DisplayHandle", reduce_handle)


def reduce_shell(value: Any, context: Context) -> Reduction:
    context.note(Fidelity.REFERENCE, "the shell of the kernel it comes back to")
    return running_shell, ()


def running_shell() -> Any:
    shells = sys.modules.get("IPython.core.getipython")
    shell = shells.get_ipython() if shells is not None else None
    if shell is None:
        what = "the IPython shell"
        return Placeholder("IPython.core.interactiveshell.InteractiveShell", what, "it runs not")
    return shell


def reduce_part(value: Any, context: Context) -> Reduction:
    return stand_in(value, context, "a part of the kernel itself", "ask `get_ipython()` for it")


def reduce_handle(value: Any, context: Context) -> Reduction:
    context.note(Fidelity.REFERENCE, "a handle of an output that is on the page")
    reduction: Reduction = value.__reduce_ex__(5)
    return reduction
