"""Every kind of object, in place and in a process that never made it: whole, or told of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.examiner import KINDS

OURS = "tests.support.ours:Rewind"
PROJECT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def examine(tmp_path: Path, step: str, tool: str = OURS, folder: str = "kinds") -> dict[str, Any]:
    """What became of each kind; every step is a process of its own, with other hashes."""
    results = tmp_path / f"{step}.json"
    command = [sys.executable, "-m", "tests.support.examiner", step, tool]
    subprocess.run(
        [*command, str(tmp_path / folder), str(results)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": str(len(step))},
        check=True,
        timeout=1400,
    )
    found = json.loads(results.read_text())
    assert found.keys() == {kind.name for kind in KINDS}
    return dict(found)


def assert_none_is_wrong(found: dict[str, Any]) -> None:
    """Each is whole or told of, and only those are not whole that cannot be."""
    bad = {name: one for name, one in found.items() if one[0] not in ("ok", "placeholder", "told")}
    assert bad == {}
    may_be_told = {kind.name for kind in KINDS if kind.told}
    lost = {name: one for name, one in found.items() if one[0] != "ok" and name not in may_be_told}
    assert lost == {}
    assert all(words for status, words in found.values() if status != "ok")


def test_there_are_many_kinds_and_each_has_a_name_of_its_own() -> None:
    """The table of what comes back has at least 120 kinds of object."""
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 120


def test_the_checks_hold_of_what_was_made(tmp_path: Path) -> None:
    """A check that failed without any restore would say nothing."""
    found = examine(tmp_path, "place", "tests.support.examiner:Untouched")
    assert {name: one for name, one in found.items() if one[0] != "ok"} == {}


def test_the_checks_fail_after_the_change(tmp_path: Path) -> None:
    """A check that held after the change would pass whatever a restore did."""
    found = examine(tmp_path, "place", "tests.support.examiner:Bare")
    assert {name: one for name, one in found.items() if one[0] != "wrong"} == {}


def test_no_kind_comes_back_wrong_in_place(tmp_path: Path) -> None:
    """Going back in the same kernel gives each value as it was, or says what it could not."""
    assert_none_is_wrong(examine(tmp_path, "place"))


def test_no_kind_comes_back_wrong_after_the_kernel_was_killed(tmp_path: Path) -> None:
    """A new kernel has each value that a killed one had, or says which it lacks, and why."""
    killed = examine(tmp_path, "killed")
    assert {one[0] for one in killed.values()} == {"killed"}
    assert_none_is_wrong(examine(tmp_path, "fresh"))


@pytest.mark.long
def test_no_kind_comes_back_wrong_in_a_new_kernel(tmp_path: Path) -> None:
    """The same after a kernel that ended by itself."""
    kept = examine(tmp_path, "keep")
    assert {one[0] for one in kept.values()} == {"kept"}
    assert_none_is_wrong(examine(tmp_path, "fresh"))
