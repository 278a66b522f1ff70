"""Kishu as a tool of the examiner; runs in the environment that is made for it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import kishu.jupyterint  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


class Kishu:
    """In a shell of IPython, as its users start it; but for the front end, which is not there."""

    def __init__(self, namespace: dict[str, Any], folder: Path) -> None:
        notebook = folder / "book.ipynb"
        if not notebook.exists():
            empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            notebook.write_text(json.dumps(empty))
        self._commit = folder / "commit"
        os.environ |= {"ENV_KISHU_TEST_MODE": "1", "TEST_NOTEBOOK_PATH": str(notebook)}
        config = Config({"HistoryManager": {"enabled": False}})
        self._shell = InteractiveShell.instance(config=config)
        self._failures: list[Exception] = []
        start = f"import kishu; kishu.init_kishu({str(notebook)!r}); del kishu"
        self._shell.run_cell(start, silent=True).raise_error()
        self.namespace = self._shell.user_ns
        self._kishu = self.namespace["_kishu"]
        self._shell.events.unregister("post_run_cell", self._kishu.post_run_cell)
        self._shell.events.register("post_run_cell", self._after_cell)

    def _after_cell(self, result: Any) -> None:
        # IPython would print what goes wrong here, and go on.
        try:
            self._kishu.post_run_cell(result)
        except Exception as error:
            self._failures.append(error)

    def run(self, source: str) -> None:
        self._shell.run_cell(source, store_history=True).raise_error()

    def keep(self) -> None:
        if self._failures:
            raise self._failures[-1]
        self._commit.write_text(self._kishu._kishu_branch.get_head().commit_id)

    def back(self, names: list[str] | None) -> str:
        self._kishu.checkout(self._commit.read_text(), skip_notebook=True)
        return ""
