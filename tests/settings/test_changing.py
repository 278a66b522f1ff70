"""Settings that are set and taken back: one value at a time, and nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_rewind.errors import InvalidInput, Storage, Unavailable
from jupyter_rewind.settings import Settings
from jupyter_rewind.store import preferences
from jupyter_rewind.store.durable import Files
from tests.settings.conftest import row, user_json, write


def test_set_and_unset_change_one_value_and_keep_the_rest(places: Path) -> None:
    """`config set` writes the user's file, readable by the user alone, and `unset` undoes it."""
    path = write(places / "user/jupyter_rewind_config.json", '{"Other": {"kept": 1}}')
    path.chmod(0o640)
    assert preferences.set_value("store.path", "/mnt/store") == path
    assert preferences.set_value("retention.daily", "7") == path
    assert json.loads(path.read_text()) == {
        "Other": {"kept": 1},
        "Rewind": {"store_path": "/mnt/store", "retention_daily": 7},
    }
    assert path.stat().st_mode & 0o777 == 0o640
    loaded = Settings.load()
    assert (loaded.store_path, row("store.path", loaded).origin) == ("/mnt/store", str(path))
    assert preferences.unset_value("store.path")
    assert not preferences.unset_value("store.path")
    assert Settings.load().store_path == str(places / "data/rewind")


def test_set_makes_the_file_private_where_there_is_none(places: Path) -> None:
    """A new settings file and its folder belong to the user alone."""
    path = preferences.set_value("upkeep.automatic", "no")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not Settings.load().upkeep_automatic


def test_set_refuses_before_it_touches_the_file(places: Path) -> None:
    """A bad value, an unknown key or a broken file leaves the settings file as it was."""
    path = user_json(places, retention_daily=3)
    before = path.read_bytes()
    for key, text in [("retention.daily", "x"), ("retention.nope", "1")]:
        with pytest.raises(InvalidInput):
            preferences.set_value(key, text)
    assert path.read_bytes() == before
    path.write_text("{broken")
    for call in (
        lambda: preferences.set_value("retention.daily", "4"),
        lambda: preferences.unset_value("retention.daily"),
    ):
        with pytest.raises(InvalidInput, match="has a mistake"):
            call()
    assert path.read_text() == "{broken"


def test_a_failed_write_leaves_the_old_settings(places: Path) -> None:
    """When the disk refuses, the settings in force stay in force, and nothing is left behind."""

    class Broken(Files):
        def sync_data(self, descriptor: int, path: Path) -> None:
            raise Unavailable("no disk")

    path = user_json(places, retention_daily=3)
    with pytest.raises(Storage):
        preferences.set_value("retention.daily", "4", files=Broken())
    assert Settings.load().retention_daily == 3
    assert list(path.parent.iterdir()) == [path]


def test_unset_takes_out_what_is_no_setting(places: Path) -> None:
    """A mistyped name can be taken out by the name that stands in the file."""
    path = user_json(places, retention_dayly=3, retention_hourly=5)
    assert preferences.unset_value("retention.dayly")
    assert json.loads(path.read_text()) == {"Rewind": {"retention_hourly": 5}}
    with pytest.raises(InvalidInput):
        preferences.unset_value("retention.dayly")
