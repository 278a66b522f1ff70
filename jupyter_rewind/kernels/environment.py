"""What surrounds the variables: chance, folders, options. Read after a cell, set at a restore.

Only what was changed since the kernel started is kept of the process's own settings (environment
variables, the module path): a restored kernel keeps its own ports, parents and paths. Nothing is
imported to be read; what is not loaded has no state.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any

from jupyter_rewind.kernels import ranfiles

Values = dict[str, Any]

_NEVER = frozenset({"JPY_PARENT_PID", "JPY_SESSION_NAME", "PWD", "OLDPWD", "COLUMNS", "LINES"})
"""Environment variables that belong to the process, whoever sets them."""


class Environment:
    """The surroundings of one kernel, as they were when it started and as they are now."""

    def __init__(self) -> None:
        self._variables = dict(os.environ)
        self._read: tuple[object, dict[str, str | None]] | None = None
        self._path = list(sys.path)
        self._scopes: Collection[dict[str, Any]] = ()
        self._modules: dict[str, ModuleType] = {}

    def read(self) -> Values:
        """Each part under its name. Calls nothing of the user's and changes nothing."""
        found: Values = {}
        for name, (module, look, _) in _PARTS.items():
            loaded = sys.modules.get(module)
            if loaded is None or getattr(getattr(loaded, "__spec__", None), "_initializing", False):
                continue
            try:
                found[name] = look(self, loaded)
            except Exception:
                # A part that cannot be read now is not kept; a restore leaves it as it is.
                continue
        return found

    def apply(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Make the surroundings those that were read; says what could not be set, and why."""
        problems = []
        for name, value in values.items():
            part = _PARTS.get(name)
            if part is None:
                problems.append(f"{name} is not known to this version")
                continue
            module, _, change = part
            try:
                change(self, importlib.import_module(module), value)
            except Exception as error:
                problems.append(f"{name} could not be set: {error}")
        return tuple(problems)

    def move(
        self, now: Values, then: object, scopes: Collection[dict[str, Any]]
    ) -> tuple[str, ...]:
        """As `apply`, where a state comes back whose functions run in these `scopes`; None as what
        was `then`: nothing around differs from `now`. IPython's own parts differ all the same.

        To apply `now` afterwards brings back the modules that there are."""
        shells = sys.modules.get("IPython.core.getipython")
        shell = shells.get_ipython() if shells is not None else None
        self._modules = dict(ranfiles.modules_of(shell))
        self._scopes = scopes
        of_ipython = {name: now.get(name, []) for name in ("display", "scripts")}
        try:
            return self.apply({**of_ipython, **(then if isinstance(then, dict) else {})})
        finally:
            self._scopes = ()

    def display(self) -> list[str]:
        """Which of `_`, `__` and `___` are IPython's to set."""
        shells = sys.modules.get("IPython.core.getipython")
        return _read_display(self, shells) if shells is not None else []

    def _set_scripts(self, module: Any, files: list[str]) -> None:
        modules = ranfiles.modules_of(module.get_ipython())
        ranfiles.put(modules, files, self._scopes, self._modules)

    # -- the process ---------------------------------------------------------------------------

    def _read_variables(self, _: Any) -> dict[str, str | None]:
        # To decode them all takes a hundred times as long as to see that they are as they were.
        raw = dict(getattr(os.environ, "_data", ()))
        if self._read is not None and raw and self._read[0] == raw:
            return dict(self._read[1])
        now, before = dict(os.environ), self._variables
        changed: dict[str, str | None] = {
            name: value
            for name, value in now.items()
            if before.get(name) != value and name not in _NEVER
        }
        changed.update({name: None for name in before if name not in now and name not in _NEVER})
        self._read = raw, changed
        return dict(changed)

    def _set_variables(self, _: Any, changed: dict[str, str | None]) -> None:
        wanted: dict[str, str | None] = {**self._variables, **changed}
        for name in {*os.environ, *wanted} - _NEVER:
            value = wanted.get(name)
            if value is None:
                os.environ.pop(name, None)
            elif os.environ.get(name) != value:
                os.environ[name] = value

    def _read_path(self, _: Any) -> tuple[list[str], list[str]]:
        return list(self._path), list(sys.path)

    def _set_path(self, _: Any, kept: tuple[list[str], list[str]]) -> None:
        """The same list in the same run; in another one, its own list with the same changes."""
        before, now = kept
        if before == self._path:
            sys.path[:] = now
            return
        own = [entry for entry in now if entry not in before]
        first = next((place for place, entry in enumerate(now) if entry in before), len(now))
        ahead = [entry for entry in now[:first] if entry in own]
        gone = {entry for entry in before if entry not in now}
        middle = [entry for entry in self._path if entry not in gone and entry not in own]
        sys.path[:] = [*ahead, *middle, *(entry for entry in own if entry not in ahead)]


# -- parts: what is read of a module, and how it is set -------------------------------------------


def _read_display(_: Environment, module: Any) -> list[str]:
    """Which of `_`, `__` and `___` are IPython's to set: it leaves alone what the user bound."""
    shell = module.get_ipython()
    if shell is None:
        return []
    known = {one: getattr(shell.displayhook, one) for one in _RESULTS}
    hidden = shell.user_ns_hidden
    known |= {one: hidden[one] for one in _RESULTS if one in hidden}
    return [one for one in _RESULTS if shell.user_ns.get(one, known[one]) is known[one]]


def _set_display(_: Environment, module: Any, own: list[str]) -> None:
    """Without this, IPython would take what came back for the user's own."""
    shell = module.get_ipython()
    for name in own if shell is not None else ():
        value = shell.user_ns.get(name, "")
        setattr(shell.displayhook, name, value)
        if name in shell.user_ns_hidden:
            shell.user_ns_hidden[name] = value


def _read_scripts(_: Environment, module: Any) -> list[str]:
    return list(ranfiles.modules_of(module.get_ipython()))


def _read_folder(_: Environment, module: Any) -> str:
    return str(module.getcwd())


def _set_folder(_: Environment, module: Any, folder: str) -> None:
    if folder != module.getcwd():
        module.chdir(folder)


def _read_random(_: Environment, module: Any) -> Any:
    return module.getstate()


def _set_random(_: Environment, module: Any, state: Any) -> None:
    module.setstate(state)


def _read_numpy(_: Environment, module: Any) -> dict[str, Any]:
    return {
        "random": module.random.get_state(legacy=False),
        "print": module.get_printoptions(),
        "errors": module.geterr(),
    }


def _set_numpy(_: Environment, module: Any, kept: dict[str, Any]) -> None:
    module.random.set_state(kept["random"])
    shown = dict(kept["print"])
    shown.pop("override_repr", None)
    module.set_printoptions(**shown)
    module.seterr(**kept["errors"])


def _read_torch(_: Environment, module: Any) -> dict[str, Any]:
    kept = {
        "random": module.get_rng_state(),
        "dtype": module.get_default_dtype(),
        "grad": module.is_grad_enabled(),
    }
    if module.cuda.is_initialized():
        kept["cuda"] = module.cuda.get_rng_state_all()
    return kept


def _set_torch(_: Environment, module: Any, kept: dict[str, Any]) -> None:
    module.set_rng_state(kept["random"])
    module.set_default_dtype(kept["dtype"])
    module.set_grad_enabled(kept["grad"])
    if "cuda" in kept and module.cuda.is_available():
        for device, state in enumerate(kept["cuda"][: module.cuda.device_count()]):
            module.cuda.set_rng_state(state, device)


def _read_warnings(_: Environment, module: Any) -> list[Any]:
    return list(module.filters)


def _set_warnings(_: Environment, module: Any, filters: list[Any]) -> None:
    if module.filters == filters:
        return
    module.filters[:] = filters
    # Python's cache of what was shown once depends on the filters.
    mutated = getattr(module, "_filters_mutated", None) or module._filters_mutated_lock_held
    mutated()


def _read_decimal(_: Environment, module: Any) -> Any:
    return module.getcontext().copy()


def _set_decimal(_: Environment, module: Any, context: Any) -> None:
    module.setcontext(context)


def _read_limit(_: Environment, module: Any) -> int:
    return int(module.getrecursionlimit())


def _set_limit(_: Environment, module: Any, limit: int) -> None:
    if limit != module.getrecursionlimit():
        module.setrecursionlimit(limit)


def _pandas_options(module: Any) -> dict[str, tuple[Any, Any]]:
    """Each option's value and default, without the warnings that asking for some would show."""
    config = module._config.config
    found = {}
    for key, option in config._registered_options.items():
        if key in config._deprecated_options:
            continue
        place: Any = config._global_config
        for word in key.split("."):
            place = place[word]
        found[key] = (place, option.defval)
    return found


def _read_pandas(_: Environment, module: Any) -> dict[str, Any]:
    options = _pandas_options(module)
    return {key: value for key, (value, default) in options.items() if value != default}


def _set_pandas(_: Environment, module: Any, kept: dict[str, Any]) -> None:
    for key, (value, default) in _pandas_options(module).items():
        wanted = kept.get(key, default)
        if value != wanted:
            module.set_option(key, wanted)


_RESULTS = ("_", "__", "___")
_OF_THE_SCREEN = frozenset({"backend", "backend_fallback", "interactive", "webagg.port"})


def _read_matplotlib(_: Environment, module: Any) -> dict[str, Any]:
    defaults = module.rcParamsDefault
    return {
        key: list(value) if type(value) is list else value
        for key, value in dict.items(module.rcParams)
        if key not in _OF_THE_SCREEN and value != dict.get(defaults, key)
    }


def _set_matplotlib(_: Environment, module: Any, kept: dict[str, Any]) -> None:
    for key, default in dict.items(module.rcParamsDefault):
        if key in _OF_THE_SCREEN:
            continue
        wanted = kept.get(key, default)
        if dict.get(module.rcParams, key) != wanted:
            # Not through the check of each value, which warns of names that will go.
            value = list(wanted) if type(wanted) is list else wanted
            dict.__setitem__(module.rcParams, key, value)


def _read_sklearn(_: Environment, module: Any) -> dict[str, Any]:
    return dict(module.get_config())


def _set_sklearn(_: Environment, module: Any, kept: dict[str, Any]) -> None:
    module.set_config(**kept)


_Read = Callable[[Environment, Any], Any]
_Set = Callable[[Environment, Any, Any], None]

_PARTS: dict[str, tuple[str, _Read, _Set]] = {
    "variables": ("os", Environment._read_variables, Environment._set_variables),
    "path": ("sys", Environment._read_path, Environment._set_path),
    "folder": ("os", _read_folder, _set_folder),
    "recursion": ("sys", _read_limit, _set_limit),
    "warnings": ("warnings", _read_warnings, _set_warnings),
    "decimal": ("decimal", _read_decimal, _set_decimal),
    "random": ("random", _read_random, _set_random),
    "numpy": ("numpy", _read_numpy, _set_numpy),
    "torch": ("torch", _read_torch, _set_torch),
    "pandas": ("pandas", _read_pandas, _set_pandas),
    "matplotlib": ("matplotlib", _read_matplotlib, _set_matplotlib),
    "sklearn": ("sklearn", _read_sklearn, _set_sklearn),
    "display": ("IPython.core.getipython", _read_display, _set_display),
    "scripts": ("IPython.core.getipython", _read_scripts, Environment._set_scripts),
}
