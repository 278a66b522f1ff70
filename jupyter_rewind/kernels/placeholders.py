"""What stands where a value was that cannot be kept: it says what it was and how to get it back.

A placeholder never acts by itself: it opens no file, connects to nothing and runs no cell. Using
it as if it were the value fails with the words that its repr shows.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

_REFUSED = (
    *("__call__", "__iter__", "__next__", "__len__", "__contains__"),
    *("__getitem__", "__setitem__", "__delitem__", "__enter__", "__aenter__"),
    *("__await__", "__aiter__", "__anext__"),
)


class Placeholder:
    """A value that was there and is not any more, in words.

    `state` holds what could be read of it (the local variables of a generator, say).
    """

    __slots__ = ("__weakref__", "_how", "_state", "_type_name", "_what")

    def __init__(self, type_name: str, what: str, how: str) -> None:
        self._type_name = type_name
        self._what = what
        self._how = how
        self._state: Any = None

    @property
    def type_name(self) -> str:
        """The type of the value that was here, as `module.Name`."""
        return self._type_name

    @property
    def what(self) -> str:
        """What was here."""
        return self._what

    @property
    def how(self) -> str:
        """How to get it back."""
        return self._how

    @property
    def state(self) -> Any:
        """What could be read of the value when it was kept; None where nothing could."""
        return self._state

    def __repr__(self) -> str:
        return f"<{self._what}; it cannot be kept: {self._how}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments(), self._state, None, None, set_state

    def _arguments(self) -> tuple[Any, ...]:
        return self._type_name, self._what, self._how

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"There is no {name!r} here: this is {self!r}.")


def _refuse(self: Placeholder, *_: object) -> NoReturn:
    raise TypeError(f"This value cannot be used: it is {self!r}.")


for _name in _REFUSED:
    setattr(Placeholder, _name, _refuse)


class FilePlaceholder(Placeholder):
    """An open file that was there; `reopen()` opens it again where it stood, never emptying it."""

    __slots__ = ("_encoding", "_errors", "_mode", "_offset", "_path")

    def __init__(
        self,
        type_name: str,
        what: str,
        how: str,
        path: Any,
        mode: str,
        offset: int | None,
        encoding: str | None,
        errors: str | None,
    ) -> None:
        super().__init__(type_name, what, how)
        self._path = path
        self._mode = mode
        self._offset = offset
        self._encoding = encoding
        self._errors = errors

    def _arguments(self) -> tuple[Any, ...]:
        place = (self._path, self._mode, self._offset, self._encoding, self._errors)
        return (*super()._arguments(), *place)

    def reopen(self) -> Any:
        """The file, opened as it was and at the same place.

        A file opened to be written is neither made nor emptied: it must still be there, and it
        is written from where it stood (or from its end, where that is not known).
        """
        mode = self._mode
        if "w" in mode or "x" in mode:
            mode = mode.replace("+", "").replace("w", "r+").replace("x", "r+")
        elif "a" in mode and not os.path.exists(self._path):
            raise FileNotFoundError(f"{self._path} is not there any more; open it anew.")
        binary = "b" in mode
        file = open(  # noqa: SIM115 - it is handed to the user
            self._path,
            mode,
            encoding=None if binary else self._encoding,
            errors=None if binary else self._errors,
        )
        if "a" in mode:
            return file
        if self._offset is not None:
            file.seek(self._offset)
        elif self._mode != "r":
            file.seek(0, os.SEEK_END)
        return file


def set_state(placeholder: Any, state: Any) -> None:
    """Give a rebuilt placeholder what was read of the value; a living value has its own."""
    if isinstance(placeholder, Placeholder):
        placeholder._state = state
