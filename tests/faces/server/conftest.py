"""A real Jupyter server with the extension on, in this process, and words to talk to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403  # fixtures and hooks, for this folder only
from traitlets.config import Config

from tests.faces.server.support import Client


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
                **rewind_settings,
            },
        }
    )
    config.merge(Config(extra_config))
    return config


@pytest.fixture
def client(jp_fetch: Any, jp_serverapp: Any, jp_root_dir: Path) -> Client:
    return Client(jp_fetch, jp_serverapp, jp_root_dir)
