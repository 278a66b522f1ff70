"""Exceptions, rebuilt without calling a constructor of the user's, with cause and context."""

from __future__ import annotations

from typing import Any, cast

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(BaseException, reduce_exception, subclasses=True, always=True)


def reduce_exception(value: BaseException, context: Context) -> Reduction:
    if value.__traceback__ is not None:
        context.note(Fidelity.REBUILT, "an exception; its traceback is not kept")
    chain = (value.__cause__, value.__context__, value.__suppress_context__)
    kind = type(value)
    if _has_own_way(kind):
        make, arguments, *rest = cast("tuple[Any, ...]", value.__reduce_ex__(5))
        state = rest[0] if rest else None
        return make, arguments, (state, *chain), None, None, set_exception
    state = dict(vars(value))
    state.update(_slots_of_builtin(value))
    return rebuild_exception, (kind, value.args), (state, *chain), None, None, set_exception


def _has_own_way(kind: type) -> bool:
    """Whether an author said how it is pickled; those of Python itself call the constructor."""
    return any(
        base.__module__ != "builtins"
        and ("__reduce__" in vars(base) or "__reduce_ex__" in vars(base))
        for base in kind.__mro__
    )


_ATTRIBUTES: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("errno", "strerror", "filename", "filename2")),
    (ImportError, ("name", "path", "msg")),
    (StopIteration, ("value",)),
    (SystemExit, ("code",)),
    (AttributeError, ("name",)),
    (NameError, ("name",)),
    (SyntaxError, ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset")),
)


def _slots_of_builtin(value: BaseException) -> dict[str, Any]:
    """What Python's own exceptions hold beside their arguments."""
    found: dict[str, Any] = {}
    for kind, names in _ATTRIBUTES:
        if isinstance(value, kind):
            for name in names:
                held = getattr(value, name, None)
                if held is not None:
                    found[name] = held
    return found


def rebuild_exception(kind: type[BaseException], arguments: tuple[Any, ...]) -> BaseException:
    """An exception of `kind` as Python's own constructors make it, none of the user's called."""
    base: Any = next(one for one in kind.__mro__ if one.__module__ == "builtins")
    value: BaseException = base.__new__(kind, *arguments)
    if issubclass(base, UnicodeError | BaseExceptionGroup):
        base.__init__(value, *arguments)
    value.args = arguments
    return value


def set_exception(value: BaseException, state: tuple[Any, ...]) -> None:
    held, cause, context, suppress = state
    if isinstance(held, dict):
        for name, item in held.items():
            setattr(value, name, item)
    elif held is not None:
        value.__setstate__(held)
    value.__cause__ = cause
    value.__context__ = context
    value.__suppress_context__ = suppress
