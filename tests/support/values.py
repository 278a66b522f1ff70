"""Classes and functions that tests keep values of: importable, as those of a library are."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np


class Node:
    """Something that weak references can point to, with a name and children."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: list[Node] = []
        self.parent: weakref.ref[Node] | None = None

    def shout(self) -> str:
        return self.name.upper()


class Refusal(Exception):
    """An exception whose constructor takes other arguments than it hands on."""

    def __init__(self, place: str, number: int) -> None:
        super().__init__(f"{place} refuses {number}")
        self.place = place
        self.number = number


class Measured(np.ndarray[Any, Any]):
    """An array with a unit, the way numpy's guide to subclassing makes it."""

    unit: str | None = None

    def __array_finalize__(self, source: Any) -> None:
        self.unit = getattr(source, "unit", None)


class Foreign:
    """A value of a class that a test registers a reducer for."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        raise TypeError("cannot be pickled its own way")


def squares(limit: int) -> Iterator[int]:
    for number in range(limit):
        yield number * number


def describe_array(value: Any) -> tuple[Any, ...]:
    """Everything about an array that a user could see."""
    flags = (value.flags.c_contiguous, value.flags.f_contiguous, value.flags.owndata)
    layout = (value.dtype.str, value.shape, value.strides, value.flags.writeable, *flags)
    return type(value).__name__, *layout, repr(value.tolist())


def describe_arrays(values: Any) -> list[tuple[Any, ...]]:
    return [describe_array(value) for value in values]


def write_through_first(values: Any) -> Any:
    """What the second array shows after a write to the first."""
    first, second = values
    first[...] = 7
    return second.tolist()


def type_and_repr(value: Any) -> tuple[str, str]:
    return type(value).__name__, repr(value)


def read_json(decoders: Any) -> Any:
    plain, own = decoders
    return plain.decode('{"a": [1, 2.5]}'), own.decode('[{"a\t": 0}, 12, "\t"]')


class Ones:
    """A sequence that Python goes through by asking for one place after the other."""

    def __getitem__(self, place: int) -> int:
        if place > 2:
            raise IndexError(place)
        return 1
