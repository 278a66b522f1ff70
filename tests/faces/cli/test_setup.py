"""config and doctor."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli.conftest import Rewind


def test_config_tells_values_and_origins(
    home: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each value with the place it comes from: default, file, environment, flag."""
    assert rewind("config", "set", "retention.hourly", "5").status == 0
    monkeypatch.setenv("JUPYTER_REWIND_RETENTION_DAILY", "6")
    rows = rewind("config", "--set", "retention.weekly=7", "--json").data["settings"]
    found = {row["key"]: (row["value"], row["origin"]) for row in rows}
    file = str(home / "config" / "jupyter_rewind_config.json")
    assert found["retention.hourly"] == (5, file)
    assert found["retention.daily"] == (6, "environment variable JUPYTER_REWIND_RETENTION_DAILY")
    assert found["retention.weekly"] == (7, "flag")
    assert found["store.path"] == (str(home / "data" / "rewind"), "default")


def test_config_get_set_unset(rewind: Rewind) -> None:
    """A value can be asked for, set, and given back."""
    assert rewind("config", "get", "upkeep.automatic").out == "true\n"
    assert rewind("config", "set", "upkeep.automatic", "no").status == 0
    assert rewind("config", "get", "upkeep.automatic").out == "false\n"
    assert rewind("config", "unset", "upkeep.automatic").status == 0
    assert rewind("config", "get", "upkeep.automatic").out == "true\n"


@pytest.mark.parametrize(
    "words",
    [
        ["get"],
        ["get", "no.such"],
        ["set", "store.path"],
        ["set", "retention.hourly", "many"],
        ["list", "more"],
        ["sing"],
    ],
)
def test_config_refuses_nonsense(words: list[str], home: Path, rewind: Rewind) -> None:
    """A slip of the hand changes nothing."""
    assert rewind("config", *words).status == 2
    assert not (home / "config").exists()


@pytest.mark.parametrize("place", ["environment", "file", "python file"])
def test_config_get_refuses_where_other_commands_do(
    home: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A script must not go by the value that a mistake covers; other settings are told."""
    if place == "environment":
        monkeypatch.setenv("JUPYTER_REWIND_RETENTION_DAILY", "many")
    else:
        (home / "config").mkdir()
        ending, text = (".json", "{") if place == "file" else (".py", "raise SystemExit(3)")
        (home / "config" / f"jupyter_rewind_config{ending}").write_text(text)
    ended = rewind("config", "get", "retention.daily")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err
    assert rewind("stats").status == 2
    if place == "environment":
        other = rewind("config", "get", "retention.weekly")
        assert other.status == 0
        assert "Left out" in other.err


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_number_below_zero_is_a_value_and_no_option(rewind: Rewind, more: list[str]) -> None:
    """What is wrong with it is its value."""
    ended = rewind("config", "set", "retention.daily", "-3", *more)
    assert ended.status == 2
    assert "No such option" not in ended.out + ended.err
    assert "retention.daily" in ended.out + ended.err


def findings(rewind: Rewind) -> dict[str, dict[str, Any]]:
    """What doctor says, by name."""
    ended = rewind("doctor", "--json")
    assert ended.status == 0
    data = ended.data
    problems = [each for each in data["findings"] if each["state"] == "problem"]
    assert data["healthy"] is (not problems)
    return {each["name"]: each for each in data["findings"]}


def test_doctor_on_a_healthy_installation(book: Path, rewind: Rewind) -> None:
    """What works is told as working."""
    found = findings(rewind)
    for name in ("store", "store writable", "key", "locks", "free space", "checkpoints class"):
        assert found[name]["state"] == "on", found[name]
    assert rewind("doctor").status == 0


def test_doctor_knows_a_disabled_extension(home: Path, rewind: Rewind) -> None:
    """Who turned the extension off, and the command that turns it on."""
    config = home / "config"
    config.mkdir()
    off = {"ServerApp": {"jpserver_extensions": {"jupyter_rewind": False}}}
    (config / "jupyter_server_config.json").write_text(json.dumps(off))
    found = findings(rewind)["server extension"]
    assert found["state"] == "problem"
    assert "jupyter_server_config.json" in found["text"]
    assert found["mend"].endswith("server extension enable jupyter_rewind")


def test_doctor_knows_another_checkpoints_class(home: Path, rewind: Rewind) -> None:
    """A config of the user's that takes another class is named."""
    config = home / "config"
    config.mkdir()
    line = "c.AsyncFileContentsManager.checkpoints_class = 'other.Checkpoints'\n"
    (config / "jupyter_server_config.py").write_text("c = get_config()\n" + line)
    found = findings(rewind)["checkpoints class"]
    assert found["state"] == "problem"
    assert "other.Checkpoints" in found["text"]


def test_doctor_works_with_broken_settings(home: Path, rewind: Rewind) -> None:
    """A mistake in the settings is a finding, not the end."""
    (home / "config").mkdir()
    (home / "config" / "jupyter_rewind_config.json").write_text("{")
    assert findings(rewind)["settings"]["state"] == "problem"


def test_doctor_mends_a_mistyped_setting_with_one_command(home: Path, rewind: Rewind) -> None:
    """The command it names takes the mistake away; `config` tells it as well."""
    (home / "config").mkdir()
    path = home / "config" / "jupyter_rewind_config.json"
    path.write_text('{"Rewind": {"retention_dayly": 3, "retention_hourly": "many"}}')
    listed = rewind("config", "--json").data
    assert len(listed["problems"]) == 2
    assert "retention_dayly" in rewind("config").err
    data = rewind("doctor", "--json").data
    mends = [each["mend"] for each in data["findings"] if each["name"] == "settings"]
    assert len(mends) == 2
    for mend in mends:
        assert rewind(*mend.removeprefix("jupyter rewind ").split()).status == 0
    assert findings(rewind)["settings"]["state"] == "on"


def test_doctor_knows_loose_permissions(home: Path, book: Path, rewind: Rewind) -> None:
    """A key or a store that others may read is named, with the command that closes it."""
    [key] = (home / "config" / "rewind-keys").glob("*.key")
    key.chmod(0o644)
    (home / "data" / "rewind").chmod(0o755)
    found = findings(rewind)
    assert found["key"]["mend"] == f"chmod 600 {key}"
    assert found["store permissions"]["state"] == "problem"
    key.chmod(0o600)
    os.chmod(home / "data" / "rewind", 0o700)
    key.unlink()
    assert findings(rewind)["key"]["state"] == "problem"


def test_doctor_knows_a_server_that_runs_without_us(home: Path, rewind: Rewind) -> None:
    """A runtime file of a server that is gone is passed over; one that cannot answer is told."""
    runtime = home / "runtime"
    runtime.mkdir()
    for name, process in (("jpserver-1.json", 2**22 + 1), ("jpserver-2.json", os.getpid())):
        facts = {"url": "http://127.0.0.1:9/", "token": "x", "pid": process}
        (runtime / name).write_text(json.dumps(facts))
    ended = rewind("doctor", "--json")
    told = [each for each in ended.data["findings"] if each["name"] == "running servers"]
    assert len(told) == 1
    assert "did not answer" in told[0]["text"]


def test_a_value_that_does_not_count_is_said_so(
    rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set in a file is weaker than the environment."""
    monkeypatch.setenv("JUPYTER_REWIND_RETENTION_DAILY", "9")
    ended = rewind("config", "set", "retention.daily", "4")
    assert ended.status == 0
    assert "JUPYTER_REWIND_RETENTION_DAILY says 9" in ended.err
    assert "is now" not in ended.out
