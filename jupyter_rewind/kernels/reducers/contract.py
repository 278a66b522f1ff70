"""What a reducer is given and what it returns.

A reducer takes a value and a context and returns what `__reduce_ex__(5)` would: a tuple
`(callable, args[, state[, items[, pairs[, set_state]]]])`, or the name under which the value's
module holds it. Large memory goes as `pickle.PickleBuffer`. The callable is part of the format of
stored snapshots: functions of this package that appear there are never renamed and never change
what their arguments mean.

Reducers only look: none calls anything that changes the value or the world outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.model.snapshot import Fidelity

T = TypeVar("T")
Reduction = tuple[Any, ...] | str
"""What a reducer returns."""


class Context(Protocol):
    """What the engine offers to the reducers while it captures one value."""

    namespace: dict[str, Any]
    """The notebook's variables; to be looked at only."""

    def note(self, fidelity: Fidelity, reason: str) -> None:
        """Say that the value is not kept exactly, and why."""

    def keeps_variables_of(self, module: str) -> bool:
        """Whether what the module's variables hold is kept with the state."""

    def once(self, find: Callable[[], T]) -> T:
        """What this finds, looked for once in a capture."""

    def placeholder(self, value: object, what: str, how: str) -> Placeholder:
        """What will stand where `value` was; noted as missing."""


Reducer = Callable[[Any, Context], Reduction]


class Notes:
    """A context that keeps the notes in a list; the engine's own may extend it."""

    def __init__(self, namespace: dict[str, Any] | None = None) -> None:
        self.namespace = namespace if namespace is not None else {}
        self.notes: list[tuple[Fidelity, str]] = []

    def note(self, fidelity: Fidelity, reason: str) -> None:
        self.notes.append((fidelity, reason))

    def keeps_variables_of(self, module: str) -> bool:
        return False

    def once(self, find: Callable[[], T]) -> T:
        return find()

    def placeholder(self, value: object, what: str, how: str) -> Placeholder:
        self.note(Fidelity.MISSING, f"{what}; {how}")
        return Placeholder(name_of(type(value)), what, how)


def name_of(kind: type) -> str:
    """`module.Name` of a class, without asking the class for more than its own record."""
    module = type.__getattribute__(kind, "__module__")
    name = type.__getattribute__(kind, "__qualname__")
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else name


def stand_in(
    value: object, context: Context, what: str, how: str, state: object = None
) -> Reduction:
    """The reduction of a placeholder for `value`; `state` is what can be read of it."""
    kind, arguments, _, *rest = context.placeholder(value, what, how).__reduce__()
    return (kind, arguments, state, *rest) if state is not None else (kind, arguments)
