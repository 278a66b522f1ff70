"""Where history alone made the notebook, what is lost first is named first: programs' memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.recovery import processes
from jupyter_rewind.recovery.recover import Recovery, recover
from jupyter_rewind.recovery.report import as_json, report
from jupyter_rewind.recovery.traces import memory
from jupyter_rewind.recovery.webpage import as_page
from tests.support.histories import make_history
from tests.support.traces import Home, notebook_text

STEPS = [f"stage_{n} = measure_{n}(table, depth={n * 7})" for n in range(4)]
FIRST = "First of all, before you go on working:"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One session ran it all; no document is left."""
    home = Home(tmp_path)
    make_history(home.path / ".ipython/profile_default/history.sqlite", [STEPS])
    return home


@pytest.fixture
def server() -> Iterator[None]:
    """A program that is called as Jupyter's server is."""
    running = subprocess.Popen(["jupyter-lab", "60"], executable="/bin/sleep")
    yield
    running.kill()
    running.wait()


def recovered(home: Home, name: str = "analysis.ipynb", **more: Any) -> Recovery:
    made = recover(home.scope(name, **more))
    assert isinstance(made, Recovery)
    return made


def steps(home: Home, **more: Any) -> tuple[str, ...]:
    return recovered(home, **more).rebuilt.next_steps


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.usefixtures("server")
def test_memory_is_the_first_thing_to_try_where_history_alone_is_left(home: Home) -> None:
    """Nothing but code came back: before all else you are told to look into memory, and that
    going on working loses what is there; on the page and to programs, too."""
    made = recovered(home)
    step, *_ = report(made).next_steps
    assert step.startswith(FIRST)
    assert "Going on working there, closing or restarting loses that for good" in step
    assert step.endswith(f"jupyter rewind recover {home.work / 'analysis.ipynb'} --memory")
    assert as_json(report(made))["next_steps"][0] == step  # type: ignore[index]
    assert FIRST in as_page(made)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.usefixtures("server")
def test_memory_is_named_for_an_emptied_notebook_too(home: Home) -> None:
    """The file is there, and nothing is in it: its text may be in memory."""
    (home.work / "analysis.ipynb").write_text(notebook_text())
    assert steps(home)[0].startswith(FIRST)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.usefixtures("server")
def test_command_that_looks_into_memory_has_what_you_named(home: Home) -> None:
    """The session and the files that you named stand in it again."""
    extra = home.path / "it's" / "history.sqlite"
    make_history(extra, [["other = 1"], ["more = 2"]])
    named = {"sessions": (1, 2), "profiles": (("default", 1),), "histories": (extra,)}
    step, *_ = steps(home, **named)
    assert " --session 2 --session default:1 --history '" in step
    assert """/it'"'"'s/history.sqlite' --memory""" in step
    step, *_ = steps(home, scan=(extra.parent,), histories=(extra,))
    assert "--history" not in step  # it lies in the folder
    assert """ --scan '""" in step


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.usefixtures("server")
def test_memory_is_not_named_where_a_document_is_left_or_it_was_looked_at(home: Home) -> None:
    """Whoever has looked there, or has the text from a checkpoint, is not frightened."""
    asked = replace(home.scope(), memory=True, platform="darwin")
    made = recover(asked)
    assert isinstance(made, Recovery)
    assert not any("--memory" in each for each in made.rebuilt.next_steps)
    kept = home.work / ".ipynb_checkpoints" / "analysis-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_text(notebook_text(*STEPS[:3]))
    assert not any(each.startswith(FIRST) for each in steps(home))


def test_memory_is_not_named_where_it_could_find_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program runs that may have it, or the system lets nobody look, or is not Linux."""
    proc = home.path / "proc"
    for pid, words in (("12", b"bash\0"), ("13", b"python\0-m\0ipykernel_launcher\0")):
        (proc / pid).mkdir(parents=True)
        (proc / pid / "cmdline").write_bytes(words)
    monkeypatch.setattr(processes, "PROC", proc)
    assert not any(each.startswith(FIRST) for each in steps(home, platform="linux"))
    (proc / "14").mkdir()
    (proc / "14" / "cmdline").write_bytes(b"/usr/bin/firefox\0")
    assert steps(home, platform="linux")[0].startswith(FIRST)
    assert not any(each.startswith(FIRST) for each in steps(home, platform="darwin"))
    rule = home.path / "ptrace_scope"
    rule.write_bytes(b"3\n")
    monkeypatch.setattr(memory, "YAMA", rule)
    assert not any(each.startswith(FIRST) for each in steps(home, platform="linux"))
