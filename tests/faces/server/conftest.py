"""A real Jupyter server with the extension on, in this process, and words to talk to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403  # fixtures and hooks, for this folder only
from traitlets.config import Config

from jupyter_rewind.faces.server import checkpoints, recorder
from jupyter_rewind.faces.server.handlers import base, search
from tests.faces.server.support import Client


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """So long lists wait for the saves of their file, and readers for one that is being written: on
    a machine that is busy, what a user waits for is too short. A test may set it."""

    def set_to(seconds: float) -> None:
        for module in (base, checkpoints, search):
            monkeypatch.setattr(module, "PATIENCE_SECONDS", seconds)
        monkeypatch.setattr(recorder, "_TORN_SECONDS", seconds)

    set_to(60.0)
    return set_to


@pytest.fixture
def rewind_settings() -> dict[str, Any]:
    """Settings a test wants, by trait."""
    return {}


@pytest.fixture
def extra_config() -> dict[str, Any]:
    """More configuration for the server."""
    return {}


@pytest.fixture
def jp_server_config(
    tmp_path: Path, rewind_settings: dict[str, Any], extra_config: dict[str, Any]
) -> Config:
    config = Config(
        {
            "ServerApp": {"jpserver_extensions": {"jupyter_rewind": True}},
            "FileContentsManager": {"delete_to_trash": False, "always_delete_dir": True},
            "Rewind": {
                "store_path": str(tmp_path / "store"),
                "store_key_folder": str(tmp_path / "keys"),
                "store_durability": "process",
                "upkeep_automatic": False,
                # On a machine that is busy, a look would come in the middle of a test.
                "notebooks_scan_seconds": 3600,
                **rewind_settings,
            },
        }
    )
    config.merge(Config(extra_config))
    return config


@pytest.fixture
def client(jp_fetch: Any, jp_serverapp: Any, jp_root_dir: Path) -> Client:
    return Client(jp_fetch, jp_serverapp, jp_root_dir)
