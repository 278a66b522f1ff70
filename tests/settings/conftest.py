"""An empty home for the settings, and files in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_rewind import settings
from jupyter_rewind.settings import Settings, describe, sources


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: no settings file, no variable; the system's files in `system`."""
    for name in [name for name in os.environ if name.startswith("JUPYTER")]:
        monkeypatch.delenv(name)
    user = tmp_path / "user"
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(user))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(
        sources, "jupyter_config_path", lambda: [str(user), str(tmp_path / "system")]
    )
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def user_json(places: Path, **values: object) -> Path:
    return write(places / "user/jupyter_rewind_config.json", json.dumps({"Rewind": values}))


def row(key: str, loaded: Settings) -> settings.SettingRow:
    return next(row for row in describe(loaded) if row.key == key)
