"""Every kind of object, in place and in a process that never made it: whole, or told of."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.examiner import ALL, KINDS, missing_libraries

OURS = "tests.support.ours:Rewind"
UNTOUCHED = "place,tests.support.examiner:Untouched,untouched"
BARE = "place,tests.support.examiner:Bare,bare"
PROJECT = Path(__file__).parents[2]
# On one worker (see conftest), so that what is found is found once.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def examine(folder: Path, *jobs: str) -> list[dict[str, Any]]:
    """What became of each kind in each of the jobs; all of them in a process of their own."""
    subprocess.run(
        [sys.executable, "-m", "tests.support.examiner", str(folder), *jobs],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": str(len(jobs))},
        check=True,
        timeout=1400,
    )
    found = [json.loads((folder / f"{job}.json").read_text()) for job in jobs]
    assert all(one.keys() == {kind.name for kind in KINDS} for one in found)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def examined(folder: Path) -> dict[str, dict[str, Any]]:
    """What the first process found: with no tool, in place, and with kernels that were killed."""
    jobs = {"untouched": UNTOUCHED, "bare": BARE, "place": f"place,{OURS},place"}
    jobs["killed"] = f"killed,{OURS},killed"
    return dict(zip(jobs, examine(folder, *jobs.values()), strict=True))


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
    assert len({kind.name for kind in ALL}) == len(ALL) >= 120


def test_the_page_of_the_docs_is_about_these_kinds() -> None:
    """The table in the docs has a row for each kind that is tried, and nothing of ours is wrong."""
    page = (PROJECT / "docs" / "reference" / "fidelity.md").read_text()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line[:2] == "| "]
    head = next(row for row in rows if "Rewind" in row[1])
    assert [one.strip() for one in head] == ["kind", "Rewind", "Kishu", "dill", "cloudpickle"]
    found = {re.sub(r"\\(.)", r"\1", row[0].strip()): row[1] for row in rows if len(row) == 5}
    del found["kind"], found["---"]
    assert list(found) == [kind.name for kind in ALL]
    assert f"\n{len(ALL)} kinds; " in page
    words = {word.strip() for ours in found.values() for word in ours.split("/")}
    assert words <= {"ok", "placeholder", "told"}


def test_kinds_whose_library_is_missing_are_named() -> None:
    """A kind that is not tried here is told of, with the library that it needs."""
    left_out = [kind for kind in ALL if kind not in KINDS]
    if left_out:
        names = ", ".join(kind.name for kind in left_out)
        pytest.skip(f"{', '.join(missing_libraries())} not installed; not tried: {names}")


def test_the_checks_hold_of_what_was_made(examined: dict[str, dict[str, Any]]) -> None:
    """A check that failed without any restore would say nothing."""
    assert {name: one for name, one in examined["untouched"].items() if one[0] != "ok"} == {}


def test_the_checks_fail_after_the_change(examined: dict[str, dict[str, Any]]) -> None:
    """A check that held after the change would pass whatever a restore did."""
    assert {name: one for name, one in examined["bare"].items() if one[0] != "wrong"} == {}


def test_no_kind_comes_back_wrong_in_place(examined: dict[str, dict[str, Any]]) -> None:
    """Going back in the same kernel gives each value as it was, or says what it could not."""
    assert_none_is_wrong(examined["place"])


def test_no_kind_comes_back_wrong_after_the_kernel_was_killed(
    examined: dict[str, dict[str, Any]], folder: Path
) -> None:
    """A new kernel has each value that a killed one had, or says which it lacks, and why."""
    assert {one[0] for one in examined["killed"].values()} == {"killed"}
    assert_none_is_wrong(*examine(folder, f"fresh,{OURS},killed"))


@pytest.mark.long
def test_no_kind_comes_back_wrong_in_a_new_kernel(tmp_path: Path) -> None:
    """The same after a kernel that ended by itself."""
    [kept] = examine(tmp_path, f"keep,{OURS},kept")
    assert {one[0] for one in kept.values()} == {"kept"}
    assert_none_is_wrong(*examine(tmp_path, f"fresh,{OURS},kept"))
