"""Classes and functions that cannot be imported any more: what stands for them says so.

A library is not there, or has another version; a file of the user's own is gone. What was made with
such a class is a placeholder, and whatever holds one is told as well.
"""

from __future__ import annotations

import importlib
from typing import Any, NoReturn

from jupyter_rewind.errors import RewindError
from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels.placeholders import Placeholder, set_state


class Lost(type):
    """The type of what stands for a class or function. Only loading can call one."""

    of: tuple[str, str, str]
    """Its module, its name there, and why it cannot be imported."""
    has_made: bool
    """Some values stand for what was made with it."""

    def __call__(cls, *given: Any, **named: Any) -> Any:
        if rebuild.current() is None:
            raise TypeError(f"This value cannot be used: it is {cls!r}.")
        return super().__call__(*given, **named)

    def __repr__(cls) -> str:
        module, name, reason = cls.of
        return f"<{module}.{name}; it cannot be imported: {reason}>"

    def __getattr__(cls, name: str) -> NoReturn:
        raise AttributeError(f"There is no {name!r} here: this is {cls!r}.")


def lost_class(module: str, name: str, reason: str, met: list[Any]) -> Any:
    """Stands for a class or function that cannot be imported. `met` gets it, and what it makes."""

    def make(kind: type[Placeholder], *_: object, **__: object) -> Placeholder:
        made = Placeholder.__new__(kind)
        Placeholder.__init__(made, f"{module}.{name}", f"a {module}.{name}", reason)
        met.append(made)
        found.has_made = True
        return made

    def ignore(self: Placeholder, *_: object) -> None:
        return None

    def reduce(self: Any) -> tuple[Any, ...]:
        return Placeholder, self._arguments(), self._state, None, None, set_state

    names = ("__init__", "__setstate__", "append", "extend", "add", "update", "__setitem__")
    body: dict[str, Any] = {"__slots__": (), "of": (module, name, reason), "has_made": False}
    body |= {"__new__": make, "__reduce__": reduce, **dict.fromkeys(names, ignore)}
    found = Lost(name.rpartition(".")[2], (Placeholder,), body)
    met.append(found)
    return found


def has_made(lost: Any) -> bool:
    """Whether others that `met` has got say the same."""
    return type(lost) is Lost and lost.has_made


def words_for(lost: Any) -> str:
    """What is said of one of those that `met` has got."""
    if type(lost) is Lost:
        module, name, reason = lost.of
        return f"{module}.{name}; {reason}"
    return f"{lost.what}; {lost.how}"


def find_again(module: str, name: str, met: list[Any]) -> Any:
    """What bears that name in the module now; what stands for it where nothing does."""
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        return lost_class(module, name, reason_of(error), met)
    return found


def find_lost(module: str, name: str) -> Any:
    """What a state calls for what could not be imported when it was kept, either."""
    return find_again(module, name, [])


def reason_of(error: BaseException) -> str:
    """Why something does not load, in a line."""
    if isinstance(error, RewindError):
        return error.message
    try:
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    except Exception:
        return type(error).__name__
