"""The surroundings that code of the state finds while its values are built.

Instances are made with code of the notebook: `__setstate__`, `__hash__`, `__new__`. That code asks
for modules, helpers and constants of its own state, not of the present, and in a new kernel there
is no present. So for the time of the building the namespace holds them, the folder and the module
path are those of the state, and living classes and functions are as they were then. What is not
plain and may be written to stands there as a copy. Afterwards everything is put back, come what
may: the swap alone changes the present.
"""

from __future__ import annotations

import copy
import enum
import os
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jupyter_rewind.kernels import rebuild
from jupyter_rewind.kernels import roots as rooting
from jupyter_rewind.kernels.classbodies import remove_attribute, set_attribute
from jupyter_rewind.kernels.environment import Environment
from jupyter_rewind.kernels.interrupts import HeldInterrupt
from jupyter_rewind.kernels.loading import Loader
from jupyter_rewind.kernels.pods import ENVIRONMENT, HUB, VARIABLE
from jupyter_rewind.kernels.reaches import names_in
from jupyter_rewind.kernels.records import PodRecord

_AROUND = ("path", "folder", "variables")
_AT_LOADING = frozenset(
    ("__setstate__", "__hash__", "__eq__", "__new__", "__reduce__", "__reduce_ex__", "__setattr__",
     "__getattr__", "__getattribute__", "__getnewargs__", "__getnewargs_ex__", "__set_name__",
     "__init_subclass__", "__del__")
)  # fmt: skip
"""Methods that may run while values are built."""
_MOST_BYTES = 64 << 20
"""A larger value is not copied for code that might write to it: that code sees the living one."""
_STUBS: dict[str, type] = {"list": list, "dict": dict, "set": set}

_mro_of = vars(type)["__mro__"].__get__

AsItWas = Callable[[Any], Callable[[], Any]]


class Stage:
    """In its block, code of the state that is loaded finds its own surroundings."""

    def __init__(
        self,
        loader: Loader,
        records: Sequence[PodRecord],
        as_it_was: AsItWas,
        environment: Environment | None = None,
    ) -> None:
        """`as_it_was` says how a class or a function is put back."""
        self._loader = loader
        self._records = records
        self._as_it_was = as_it_was
        self._environment = environment
        self._namespace = loader.namespace
        self._before: dict[Any, Any] = {}
        self._undo: list[Callable[[], Any]] = []

    def __enter__(self) -> Stage:
        self._before = dict(self._namespace)
        self._undo = [self._put_names_back]
        self._loader.staging = self._apply
        return self

    def __exit__(self, *_: object) -> None:
        with HeldInterrupt() as held:
            self._loader.staging = None
            self._loader.homes.put_back()
            while self._undo:
                try:
                    self._undo.pop()()
                except Exception:
                    continue  # the rest is put back all the same
            self._loader.finals.drop_copies()
        held.pass_on()

    def set_around(self) -> None:
        """The folder and the module path are those of the state."""
        for record in self._records:
            if record.keys[0] == ENVIRONMENT and not self._loader.is_unchanged(ENVIRONMENT):
                self._set_around(self._loader.load_copy(record).get(ENVIRONMENT))

    def set_up(self, wanted: Sequence[PodRecord]) -> None:
        """Everything stands that the pods in `wanted` can ask for."""
        if not any(record.refs for record in wanted):
            return
        small = [record for record in self._records if record.names]
        small.sort(key=lambda record: record.keys[0] == rooting.NAMED)
        for record in small:
            self._loader.load_names(record, self._show)
        with rebuild.active(self._loader):
            codes = list(self._codes(wanted))
        self._copy(set().union(*map(names_in, codes)) if codes else set())

    # --- what stands there --------------------------------------------------------------------

    def _set_around(self, around: Any) -> None:
        if self._environment is None or type(around) is not dict:
            return
        self._undo.append(_put_around_back(list(sys.path), dict(os.environ), _folder()))
        self._environment.apply({name: around[name] for name in _AROUND if name in around})

    def _show(self, record: PodRecord) -> None:
        small = self._loader.values.get(record.keys[0])
        for key, value in small.items() if type(small) is dict else ():
            if key.startswith(VARIABLE):
                self._namespace[key[len(VARIABLE) :]] = value

    def _apply(self, action: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """What the swap will change for good is changed for the time being."""
        self._undo.append(self._as_it_was(arguments[0]))
        action(*arguments)

    def _codes(self, wanted: Iterable[PodRecord]) -> Iterator[types.CodeType]:
        """All code that may run while these are loaded."""
        hubs = [self._loader.hub(uid) for record in wanted for uid in record.refs]
        classes = {one for one in hubs if isinstance(one, type)}
        bases = {base for one in classes for base in _mro_of(one) if _is_here(base)}
        for base in bases:
            if any(name in _AT_LOADING for name in vars(base)):
                self._guard(base)
        left = deque(code for base in bases for code in _methods(base, _AT_LOADING))
        left += [one.__code__ for one in hubs if isinstance(one, types.FunctionType)]
        seen: set[int] = set()
        while left:
            code = left.popleft()
            if id(code) in seen:
                continue
            seen.add(id(code))
            yield code
            names = names_in(code)
            for name in names:
                left += _codes_of(self._namespace.get(name))
            for base in bases:
                left += _methods(base, names)

    def _guard(self, made: type) -> None:
        """What the class's own code writes into it while values are built does not stay."""
        if isinstance(made, enum.EnumMeta):
            return
        before: dict[str, Any] = {
            name: held for name, held in vars(made).items() if not name.startswith("__")
        }
        for name, held in before.items():
            if type(held) in (list, dict, set):
                set_attribute(made, name, copy.copy(held))

        def put_back() -> None:
            for name in [one for one in vars(made) if not one.startswith("__")]:
                if name not in before:
                    remove_attribute(made, name)
            for name, held in before.items():
                if vars(made).get(name) is not held:
                    set_attribute(made, name, held)

        self._undo.append(put_back)

    def _copy(self, names: set[str]) -> None:
        """Copies of the variables of these names stand where the variables would."""
        found = []
        for record in self._records:
            keys = [key for key in record.keys if key.startswith(VARIABLE)]
            named = [key for key in keys if key[len(VARIABLE) :] in names]
            if named and record.size_bytes <= _MOST_BYTES:
                found.append(record)
                self._stand_in(record, named)
        for record in found:
            if any(key.startswith(HUB) for key in record.keys):
                continue
            copies = self._loader.load_copy(record)
            for key, value in copies.items():
                if key.startswith(VARIABLE):
                    self._namespace[key[len(VARIABLE) :]] = value

    def _stand_in(self, record: PodRecord, keys: Iterable[str]) -> None:
        """Until its copy is loaded: code that writes to a container has one to write to."""
        kinds = {root.key: _STUBS.get(root.type_name) for root in record.roots}
        for key in keys:
            name, kind = key[len(VARIABLE) :], kinds[key]
            live: Any = self._before.get(name)
            if kind is not None:
                self._namespace[name] = copy.copy(live) if type(live) is kind else kind()

    def _put_names_back(self) -> None:
        namespace, before = self._namespace, self._before
        for name in [name for name in namespace if name not in before]:
            del namespace[name]
        for name, value in before.items():
            if namespace.get(name, self) is not value:
                namespace[name] = value


def _is_here(base: type) -> bool:
    """True for a class that was made by a class statement outside of Python's own modules."""
    home = type.__getattribute__(base, "__module__")
    return isinstance(home, str) and home.partition(".")[0] not in sys.stdlib_module_names - {
        "__main__"
    }


def _methods(base: type, names: Iterable[str]) -> Iterator[types.CodeType]:
    held: Mapping[str, Any] = vars(base)
    for name in names:
        if name in held:
            yield from _codes_of(held[name])


def _codes_of(value: Any) -> Iterator[types.CodeType]:
    """The code that calling `value`, or reading it of an instance, runs."""
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    if isinstance(value, types.FunctionType):
        yield value.__code__
    elif isinstance(value, type) and _is_here(value):
        for name in ("__init__", "__new__", *_AT_LOADING):
            made = vars(value).get(name)
            if isinstance(made, types.FunctionType):
                yield made.__code__


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _put_around_back(
    path: list[str], variables: dict[str, str], folder: str | None
) -> Callable[[], None]:
    def put_back() -> None:
        sys.path[:] = path
        for name in [name for name in os.environ if name not in variables]:
            del os.environ[name]
        for name, value in variables.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        if folder is not None and folder != _folder():
            os.chdir(folder)

    return put_back
