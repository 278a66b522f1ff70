"""The verbs of `%rewind` for code that runs in a kernel: `from jupyter_rewind import kernel`.

    kernel.to(7)                    the variables as they were after In[7]
    kernel.undo()
    kernel.get("model", at="before tuning", new="old_model")

Each answers with a value that shows itself in words, and raises an error of `jupyter_rewind.errors`
where it cannot do what was asked; nothing was changed then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_rewind.errors import Unavailable

if TYPE_CHECKING:
    from jupyter_rewind.faces.ipython.answers import Answer, Back, Changes, History, Report, Words
    from jupyter_rewind.faces.ipython.verbs import Verbs

__all__ = [
    "branch", "diff", "exclude", "get", "history", "include", "label", "off", "on", "redo",
    "report", "resume", "status", "to", "undo",
]  # fmt: skip


def to(ref: str | int, *, trust: bool = False) -> Back:
    """The variables are as they were at `ref`; the present is kept first."""
    return _verbs().to(ref, trust=trust)


def undo() -> Back:
    """The last move is taken back."""
    return _verbs().undo()


def redo() -> Back:
    """The move that was undone last is made again."""
    return _verbs().redo()


def resume(ref: str | None = None, *, trust: bool = False) -> Back:
    """The variables of the notebook's kernel before this one are back."""
    return _verbs().resume(ref, trust=trust)


def get(name: str, *, at: str | int, new: str | None = None, trust: bool = False) -> object:
    """The variable `name` as it was at `at`; it becomes `new`, or itself."""
    return _verbs().get(name, at=at, new=new, trust=trust)


def status() -> Words:
    """Whether states are kept, how many there are, and what they take."""
    return _verbs().status()


def history() -> History:
    """The states of this run, the newest last."""
    return _verbs().history()


def diff(before: str | int | None = None, after: str | int | None = None) -> Changes:
    """The variables that differ: since the state before the last, or from one to another."""
    return _verbs().diff(before, after)


def report(ref: str | int | None = None) -> Report:
    """How faithfully each variable is kept, in the newest state or in `ref`."""
    return _verbs().report(ref)


def branch(name: str | None = None) -> Answer:
    """The lines of states, or, with `name`, this line is called so."""
    return _verbs().branch(name)


def label(text: str, ref: str | int | None = None) -> Words:
    """The newest state, or `ref`, has a name, and stays for as long as it has one."""
    return _verbs().label(text, ref)


def exclude(*names: str) -> Words:
    """These variables are not kept, and no move touches them, from now on."""
    return _verbs().exclude(*names)


def include(*names: str) -> Words:
    """These variables, which were left out, are kept again."""
    return _verbs().include(*names)


def off() -> Words:
    """No state is kept from now on; the journal is."""
    return _verbs().off()


def on() -> Words:
    """States are kept again."""
    return _verbs().on()


def _verbs() -> Verbs:
    from jupyter_rewind.faces.ipython.extension import current_verbs

    found = current_verbs()
    if found is None:
        raise Unavailable(
            "Jupyter Rewind is not on in this process.",
            hint="In a kernel, `%load_ext jupyter_rewind` turns it on, unless the setting"
            " kernels.enabled is false: `jupyter rewind enable`.",
        )
    return found
