"""Shells of IPython that are made once and begin anew for each program."""

from __future__ import annotations

import contextlib
import functools
import io
import string
import sys
import types
from collections.abc import Iterator
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_rewind.faces.ipython.extension import last_results


class _Shell(InteractiveShell):
    """Runs cells as a kernel does, and shows nothing."""

    def showtraceback(self, *_: object, **__: object) -> None:
        # A shell holds the last error, and through it what its frames hold.
        sys.last_type, sys.last_value, sys.last_traceback = sys.exc_info()

    def _format_exception_for_storage(self, *_: object, **__: object) -> dict[str, str]:
        return {}

    def showsyntaxerror(self, *_: object, **__: object) -> None:
        pass


class Shell:
    """One shell. `namespace` is new after each `begin`."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        before = sys.modules["__main__"]
        self.shell = _Shell(config=config)
        sys.modules["__main__"] = before
        # The same for both shells, and asked for again and again.
        self.shell.transform_cell = functools.lru_cache(500)(self.shell.transform_cell)
        hook = self.shell.displayhook
        hook.compute_format_data = lambda _: ({}, {})
        self.begin()

    def begin(self) -> None:
        """A kernel that has just started."""
        shell = self.shell
        self.module = types.ModuleType("__main__")
        self.module.__dict__["__builtins__"] = __builtins__
        shell.user_module, shell.user_ns = self.module, self.module.__dict__
        shell.user_ns_hidden.clear()
        shell.history_manager.input_hist_parsed = [""]
        shell.history_manager.output_hist = {}
        shell._main_mod_cache.clear()
        shell.displayhook._ = shell.displayhook.__ = shell.displayhook.___ = ""
        shell.last_execution_result = None
        shell.init_user_ns()
        shell.execution_count = 1
        self.namespace: dict[str, Any] = shell.user_ns
        self.outside: list[Any] = []
        """What somebody outside the notebook holds: a module of Python's own, `string.outside`."""

    def run(self, count: int, source: str) -> None:
        """The cell has run, whatever came of it."""
        shell = self.shell
        shell.execution_count = count
        with self.current(), contextlib.redirect_stdout(io.StringIO()):
            shell.run_cell(source, store_history=True)

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """This is the process's shell, and its namespace is `__main__`."""
        before, was = sys.modules["__main__"], InteractiveShell._instance
        sys.modules["__main__"], InteractiveShell._instance = self.module, self.shell
        setattr(string, "outside", self.outside)  # noqa: B010 - it has no stub
        try:
            yield
        finally:
            sys.modules["__main__"], InteractiveShell._instance = before, was
            delattr(string, "outside")

    def results(self) -> Iterator[tuple[dict[str, Any], str]]:
        """References of the shell's own to what the last cells were worth."""
        return last_results(self.shell)
