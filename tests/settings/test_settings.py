"""The settings: where a value comes from, and what happens to words nobody understands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigList, DeferredConfigString

from jupyter_rewind import settings
from jupyter_rewind.errors import Denied, InvalidInput
from jupyter_rewind.settings import Settings, describe, sources
from tests.settings.conftest import row, user_json, write


def test_defaults_lie_in_jupyters_own_folders(places: Path) -> None:
    """With nothing set, the store is under Jupyter's data folder and the keys are not."""
    loaded = Settings.load()
    assert loaded.store_path == str(places / "data/rewind")
    assert loaded.store_key_folder == str(places / "user/rewind-keys")
    assert {row.origin for row in describe(loaded)} == {"default"}


@pytest.mark.skipif(os.name == "nt", reason="these variables count on POSIX systems only")
@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("HOME", "work", "store.path"),
        ("HOME", "", "store.path"),
        ("XDG_DATA_HOME", "share", "store.path"),
        ("JUPYTER_DATA_DIR", "data", "store.path"),
        ("JUPYTER_CONFIG_DIR", "config", "store.key_folder"),
    ],
)
def test_no_store_is_made_wherever_a_program_was_started(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, key: str
) -> None:
    """A home that is no absolute path would be another one in each folder."""
    if variable != "JUPYTER_CONFIG_DIR":
        monkeypatch.delenv("JUPYTER_DATA_DIR")
    if variable == "HOME":
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInput, match=variable) as caught:
        Settings.load()
    assert key in str(caught.value)
    assert any(problem.stops for problem in Settings.load_leniently().problems)
    assert Settings.load({key: "/a/folder"}).origin_of(key) == "flag"


def test_every_setting_has_help_and_a_default_that_can_be_set_again() -> None:
    """Each row of `jupyter rewind config` explains itself, and its default is a legal value."""
    rows = describe(Settings.load())
    assert len(rows) == len(Settings.class_trait_names(config=True)) >= 58
    for each in rows:
        assert each.help.endswith(".")
        assert each.value == each.default
        assert settings.parse_value(each.key, str(each.default)) == each.default


def test_the_stronger_place_wins(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flag over server over environment over the user's file over the system's over default."""
    key, found = "retention.daily", []

    def now(**more: object) -> None:
        loaded = Settings.load(**more)  # type: ignore[arg-type]
        found.append((loaded.retention_daily, row(key, loaded).origin))

    now()
    system = write(
        places / "system/jupyter_rewind_config.json", '{"Rewind": {"retention_daily": 1}}'
    )
    now()
    program = write(places / "user/jupyter_rewind_config.py", "c.Rewind.retention_daily = 2")
    now()
    user = user_json(places, retention_daily=3)
    now()
    monkeypatch.setenv("JUPYTER_REWIND_RETENTION_DAILY", "4")
    now()
    server = Config({"Rewind": {"retention_daily": 5}})
    now(config=server)
    now(config=server, overrides={key: "6"})
    assert found == [
        (60, "default"),
        (1, str(system)),
        (2, str(program)),
        (3, str(user)),
        (4, "environment variable JUPYTER_REWIND_RETENTION_DAILY"),
        (5, "server configuration"),
        (6, "flag"),
    ]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("store.durability", "process", "process"),
        ("store.path", "/mnt/store/", "/mnt/store"),
        ("store_path", "/mnt/store", "/mnt/store"),
        ("store.index_path", "", ""),
        ("notebooks.text_files", "off", False),
        ("notebooks.text_files", "Yes", True),
        ("upkeep.interval_hours", " 6 ", 6),
    ],
)
def test_text_becomes_a_value_of_the_right_kind(key: str, text: str, value: object) -> None:
    """What is typed in a flag or a variable means the same as the value in a file."""
    loaded = Settings.load({key: text})
    assert getattr(loaded, settings.trait_name(key)) == value


def test_a_tilde_means_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~/store` is a folder of the user's home, wherever the value stands."""
    monkeypatch.setenv("HOME", "/home/somebody")
    assert Settings.load({"store.path": "~/store"}).store_path == "/home/somebody/store"


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("store.durability", "sometimes", "one of power, process"),
        ("store.path", "relative/folder", "absolute path"),
        ("store.path", "", "absolute path"),
        ("retention.hourly", "many", "whole number, 0 or more"),
        ("retention.hourly", "-1", "whole number, 0 or more"),
        ("retention.keep_last", "0", "whole number, 1 or more"),
        ("upkeep.automatic", "perhaps", "true or false"),
    ],
)
def test_a_bad_value_is_refused_with_what_would_be_good(key: str, text: str, words: str) -> None:
    """The message names the setting, the value, where it stands and what is expected."""
    with pytest.raises(InvalidInput) as caught:
        Settings.load({key: text})
    assert f"The setting {key} cannot be {text!r} (from flag)." in str(caught.value)
    assert words in caught.value.hint


@pytest.mark.parametrize("value", [True, [1], {"a": 1}, None, 1.5])
def test_a_value_of_the_wrong_kind_in_a_file_is_refused(places: Path, value: object) -> None:
    """JSON that is well formed but no whole number does not become one."""
    path = user_json(places, retention_daily=value)
    with pytest.raises(InvalidInput, match="retention.daily cannot be") as caught:
        Settings.load()
    assert str(path) in str(caught.value)


def test_an_unknown_name_is_refused_with_the_nearest(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped name is an error in a flag, a variable, a file and a server's configuration."""
    with pytest.raises(InvalidInput, match=r"no setting store.pth .*Did you mean store.path\?"):
        Settings.load({"store.pth": "/x"})
    with pytest.raises(InvalidInput, match="no setting storepath .*server configuration"):
        Settings.load(config=Config({"Rewind": {"storepath": "/x"}}))
    with pytest.raises(InvalidInput, match="`jupyter rewind config` lists them"):
        Settings.load({"zzzzzzzz": "/x"})
    path = user_json(places, retention_dayly=3)
    with pytest.raises(InvalidInput, match=r"Did you mean retention.daily\?") as caught:
        Settings.load()
    assert str(path) in str(caught.value)
    path.unlink()
    monkeypatch.setenv("JUPYTER_REWIND_STORE_PTH", "/x")
    with pytest.raises(InvalidInput, match="environment variable JUPYTER_REWIND_STORE_PTH"):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("json", '{\n"Rewind": {,}\n}', "on line 2: "),
        ("json", "[]", "must look like"),
        ("json", '{"Rewind": 5}', "must look like"),
        ("py", "x = 1\nc.Rewind.store_path = = 3\n", "on line 2: "),
        ("py", "\n\nc.Rewind.store_path = home\n", "on line 3: NameError"),
        ("py", "open('/no/such/file')\n", "on line 1: "),
    ],
)
def test_a_mistake_in_a_settings_file_is_one_clear_sentence(
    places: Path, name: str, text: str, where: str
) -> None:
    """The file and the line are named, and what to do; no traceback is needed to find it."""
    path = write(places / f"user/jupyter_rewind_config.{name}", text)
    with pytest.raises(InvalidInput) as caught:
        Settings.load()
    message = str(caught.value)
    assert f"The settings file {path} has a mistake" in message
    assert where in message
    assert message.endswith("Mend it, or move it away.")
    assert "\n" not in message


def test_bytes_that_are_no_text_are_a_mistake_too(places: Path) -> None:
    """A settings file in another encoding is named, not half read."""
    path = user_json(places)
    path.write_bytes(b'{"Rewind": {"store_path": "/caf\xe9"}}')
    with pytest.raises(InvalidInput, match="not UTF-8"):
        Settings.load()


@pytest.mark.parametrize("name", ["json", "py"])
def test_an_unreadable_file_is_not_an_absent_one(
    places: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may not be read is an error, for its settings would be lost silently."""
    path = write(places / f"user/jupyter_rewind_config.{name}", "")
    real = Path.read_text

    def refuse(self: Path, *more: object, **named: object) -> str:
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return real(self, *more, **named)  # type: ignore[arg-type]

    def refuse_load(loader: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    if name == "py":
        monkeypatch.setattr(sources.PyFileConfigLoader, "load_config", refuse_load)
    with pytest.raises(Denied, match="cannot be read: Permission denied") as caught:
        Settings.load()
    assert str(path) in str(caught.value)


def test_a_settings_file_may_read_and_extend_other_settings(places: Path) -> None:
    """Sections of other programs are left alone, and looking at a value sets nothing."""
    write(
        places / "user/jupyter_rewind_config.py",
        "c.ServerApp.port = 9999\nbefore = c.Rewind.store_path\nc.Rewind.upkeep_automatic = False",
    )
    loaded = Settings.load()
    assert not loaded.upkeep_automatic
    assert row("store.path", loaded).origin == "default"


def test_server_flags_arrive_as_text() -> None:
    """`jupyter lab --Rewind.retention_daily=7` reaches the server as deferred text."""
    flags = {
        "retention_daily": DeferredConfigList(["6", "7"]),
        "upkeep_automatic": DeferredConfigString("False"),
    }
    loaded = Settings.load(config=Config({"Rewind": flags}))
    assert (loaded.retention_daily, loaded.upkeep_automatic) == (7, False)


def test_importing_the_package_is_cheap() -> None:
    """`import jupyter_rewind` brings in no framework; each entry point imports what it needs."""
    code = (
        "import sys; before = set(sys.modules); import jupyter_rewind;"
        "new = set(sys.modules) - before;"
        "print(sorted(n for n in new if n.startswith('jupyter_rewind')));"
        "print(sorted({'traitlets', 'jupyter_server', 'nbformat', 'typer'} & new))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['jupyter_rewind']", "[]"]


def test_the_public_names_are_these() -> None:
    """What `from jupyter_rewind import *` gives is decided, not an accident."""
    import jupyter_rewind

    assert jupyter_rewind.__all__ == ["__version__", "register"]


def test_a_server_leaves_mistakes_out_and_tells_them(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped name or a bad value costs itself alone; the rest holds."""
    path = user_json(places, retention_dayly=3, retention_weekly="many", retention_hourly=5)
    monkeypatch.setenv("JUPYTER_REWIND_NO_SUCH", "1")
    loaded = Settings.load_leniently(config=Config({"Rewind": {"storepath": "/x"}}))
    assert (loaded.retention_hourly, loaded.retention_weekly) == (5, 104)
    assert [(each.key, each.stops) for each in loaded.problems] == [
        ("retention_dayly", False),
        ("retention_weekly", False),
        ("NO_SUCH", False),
        ("storepath", False),
    ]
    assert loaded.problems[0].origin == str(path)
    assert "Did you mean retention.daily?" in str(loaded.problems[0].error)


@pytest.mark.parametrize(
    ("key", "value"), [("store_path", "here"), ("store_durability", "some"), ("store_path", 7)]
)
def test_a_mistake_in_where_the_store_lies_stops_a_server(
    places: Path, key: str, value: object
) -> None:
    """Nobody looks for a history in another place than was asked for."""
    user_json(places, **{key: value})
    assert [each.stops for each in Settings.load_leniently().problems] == [True]


def test_a_garbled_file_is_told_and_the_others_hold(places: Path) -> None:
    write(places / "user/jupyter_rewind_config.json", "{")
    write(places / "user/jupyter_rewind_config.py", "c.Rewind.retention_hourly = 5\n")
    loaded = Settings.load_leniently()
    assert loaded.retention_hourly == 5
    assert [(each.key, each.stops) for each in loaded.problems] == [("", False)]


def test_mistakes_of_a_flag_are_refused_in_any_case() -> None:
    with pytest.raises(InvalidInput):
        Settings.load_leniently({"no.such": "1"})
    with pytest.raises(InvalidInput):
        Settings.load_leniently({"retention.hourly": "many"})
