"""The parent of a kernel and its templates, with programs of a few lines for kernels."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting.process import is_group_alive
from tests.support.kernels import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="templates are Linux's")
Run = Callable[..., "Warded"]
WARDEN = """
import sys
from jupyter_rewind.kernels.templates import warden
warden.READY_SECONDS, warden.TRIAL_SECONDS = {ready}, {seconds}
sys.exit(warden.main(sys.argv[1:]))
"""
BEGIN = """
import os, sys, time
from jupyter_rewind.errors import Unavailable
from jupyter_rewind.kernels.templates import dormant

folder = os.environ["REWIND_KERNEL_WARDEN"]
warden = dormant.Warden(folder)

def say(*words):
    with open(os.path.join(folder, "said"), "a") as file:
        print(*words, file=file)

def keep(name, lie_down=lambda: None):
    bed = dormant.Bed(frozenset(), (), lie_down)
    awake = dormant.keep(warden, {"name": name}, bed, str)
    while awake is None and name not in [each["name"] for each in names()] and not lie_down():
        time.sleep(0.005)
    return awake is not None

def names():
    return warden.ask("list")["templates"]

def up():
    dormant.Warden(folder).ask("up")
"""


class Warded:
    """A program below a warden."""

    def __init__(
        self, folder: Path, source: str, most: int, megabytes: int, seconds: float, ready: float
    ) -> None:
        self.folder = folder
        program = folder / "program.py"
        program.write_text(BEGIN + textwrap.dedent(source))
        words = [str(folder), str(most), str(megabytes), sys.executable, str(program)]
        began = WARDEN.format(seconds=seconds, ready=ready)
        self.process = subprocess.Popen(
            [sys.executable, "-c", began, *words], start_new_session=True
        )

    @property
    def said(self) -> list[str]:
        try:
            return (self.folder / "said").read_text().splitlines()
        except FileNotFoundError:
            return []

    def wait(self) -> int:
        """How it ended; nothing is left."""
        status = self.process.wait(60)
        eventually(lambda: not is_group_alive(self.process.pid), "nothing is left")
        return status


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    running: list[Warded] = []

    def begin(
        source: str,
        most: int = 3,
        megabytes: int = 1000,
        seconds: float = 20,
        ready: float = 20,
    ) -> Warded:
        running.append(Warded(tmp_path, source, most, megabytes, seconds, ready))
        return running[-1]

    yield begin
    for each in running:
        each.process.kill()
        each.process.wait()


def test_a_template_goes_on_when_the_kernel_has_said_so_and_ended(run: Run) -> None:
    """Twice from the same one, each time as it was; the number of the parent stays."""
    warded = run(
        """
        count = iter(range(9))
        next(count)
        turns = os.path.join(folder, "turns")
        if keep("a"):
            up()
        say(next(count), os.getppid())
        with open(turns, "a") as file:
            file.write("x")
        if os.path.getsize(turns) < 3:
            warden.ask("go", name="a", back=None)
        """
    )
    assert warded.wait() == 0
    assert warded.said == [f"1 {warded.process.pid}"] * 3


def test_a_kernel_that_stays_after_all_ends_as_any_other(run: Run) -> None:
    """No template goes on behind its back."""
    warded = run(
        """
        if keep("a"):
            say("back")
        warden.ask("go", name="a", back=None)
        warden.ask("stay")
        sys.exit(4)
        """
    )
    assert warded.wait() == 4
    assert not warded.said


def test_the_status_of_a_kernel_that_ends_is_its_wardens(run: Run) -> None:
    """Jupyter sees how it ended, and no template stays behind."""
    warded = run("keep('a'); sys.exit(7)")
    assert warded.wait() == 7


def test_the_oldest_go_but_for_the_one_that_is_spared(run: Run) -> None:
    """Two of four are kept; the spared one is there though it is the oldest."""
    warded = run(
        """
        keep("a") or keep("b")
        warden.ask("spare", name="a")
        keep("c") or keep("d")
        say(*[each["name"] for each in names()])
        """,
        most=2,
    )
    assert warded.wait() == 0
    assert warded.said == ["a d"]


MEMORY = """
        data = bytearray(60 << 20)
        def write():
            for at in range(0, len(data), 4096):
                data[at] += 1
        write()
        keep("a") or keep("b")
        write()
        """


@pytest.mark.parametrize(("megabytes", "left"), [(40, "c"), (90, "a b c")])
def test_memory_that_templates_share_with_one_another_counts_once(
    run: Run, megabytes: int, left: str
) -> None:
    """Neither of two has for itself what the kernel rewrote; together they hold it."""
    warded = run(
        f"""{MEMORY}
        keep("c")
        while (there := " ".join(each["name"] for each in names())) != {left!r}:
            time.sleep(0.02)
        say(there)
        """,
        megabytes=megabytes,
    )
    assert warded.wait() == 0
    assert warded.said == [left]


def test_memory_is_looked_at_without_a_new_template_too(run: Run) -> None:
    """The kernel says that a cell has ended."""
    warded = run(
        f"""{MEMORY}
        warden.ask("look")
        while there := names():
            time.sleep(0.02)
        say("gone")
        """,
        megabytes=40,
    )
    assert warded.wait() == 0
    assert warded.said == ["gone"]


def test_what_was_warned_of_once_is_not_told_anew(run: Run) -> None:
    """Nor is the user warned of the fork, with other threads, which were looked at."""
    warded = run(
        """
        import threading, warnings
        told = []
        warnings.showwarning = lambda message, *_: told.append(str(message))
        warnings.simplefilter("default")
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        def warn():
            warnings.warn("mind")
        warn()
        keep("a")
        warn()
        say(*told)
        """
    )
    assert warded.wait() == 0
    assert warded.said == ["mind"]


def test_where_what_goes_on_ends_at_once_the_present_is_back(run: Run) -> None:
    """The kernel is then what it was when it asked."""
    warded = run(
        """
        if keep("a"):
            os._exit(3)
        if keep("present"):
            up()
            say("back")
            os._exit(0)
        warden.ask("go", name="a", back="present")
        """
    )
    assert warded.wait() == 0
    assert warded.said == ["back"]


def test_what_goes_on_and_does_not_answer_in_time_is_ended(run: Run) -> None:
    """The present is back; where there is none, Jupyter sees that the kernel has ended."""
    source = """
        if keep("a"):
            time.sleep(60)
        if keep("present"):
            up()
            say("back")
            os._exit(0)
        warden.ask("go", name="a", back={back})
        """
    warded = run(source.format(back="'present'"), seconds=5)
    assert warded.wait() == 0
    assert warded.said == ["back"]

    assert run(source.format(back=None), seconds=0.3).wait() != 0


def test_a_template_that_never_falls_asleep_is_ended(run: Run) -> None:
    """Its fork came about, and hung."""
    warded = run(
        """
        asleep = []
        def hang():
            if os.getpid() != kernel:
                say(os.getpid())
                time.sleep(60)
            return True
        kernel = os.getpid()
        keep("a", hang)
        while warden.ask("list")["waits"]:
            time.sleep(0.02)
        say("ended")
        """,
        ready=0.5,
    )
    assert warded.wait() == 0
    number, said = warded.said
    assert said == "ended"
    assert not os.path.exists(f"/proc/{number}")


def test_a_fork_that_hangs_is_ended_and_the_kernel_goes_on(run: Run) -> None:
    """Whatever runs in a child first, and never ends, costs a template and no more."""
    warded = run(
        """
        dormant.FORK_SECONDS = 0.3
        os.register_at_fork(after_in_child=lambda: time.sleep(60))
        try:
            keep("a")
        except Unavailable as error:
            say(error.message)
        """
    )
    assert warded.wait() == 0
    assert warded.said == ["the fork of this process did not come about in time"]


def test_an_obstacle_is_told_and_nothing_is_forked(run: Run) -> None:
    """What keeps this process from being forked comes back as the reason."""
    warded = run(
        """
        os.register_at_fork(before=lambda: say("forked"))
        bed = dormant.Bed(frozenset(), (), lambda: None)
        try:
            dormant.keep(warden, {"name": "a"}, bed, lambda: "something works")
        except Unavailable as error:
            say(error.message)
        """
    )
    assert warded.wait() == 0
    assert warded.said == ["something works"]


def test_nobody_but_the_kernel_is_obeyed(run: Run) -> None:
    """Not even a process of the same user."""
    warded = run("say('runs'); time.sleep(60)")
    eventually(lambda: warded.said == ["runs"], "it runs")
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(warded.folder / "warden"))
        other.sendall(json.dumps({"verb": "list"}).encode() + b"\n")
        answer = json.loads(other.makefile().readline())
    assert "only the kernel" in answer["error"]
    assert os.stat(warded.folder / "warden").st_mode & 0o077 == 0


def test_a_template_draws_the_same_chance_and_is_the_first_to_go(run: Run) -> None:
    """`random` goes on where it was; when memory is short, templates end before the kernel."""
    warded = run(
        """
        import random
        random.seed(5)
        score = "/proc/self/oom_score_adj"
        before = open(score).read()
        if (awake := dormant.keep(warden, {"name": "a"}, dormant.Bed(frozenset(), (), str), str)):
            awake.settle()
            up()
            say(random.random(), open(score).read() == before)
            os._exit(0)
        while not names():
            time.sleep(0.005)
        say(random.random(), open(score).read() == before)
        parent = os.getppid()
        for pid in open(f"/proc/{parent}/task/{parent}/children").read().split():
            if open(f"/proc/{pid}/comm").read() == "rewind-template\\n":
                say(open(f"/proc/{pid}/oom_score_adj").read().strip())
        warden.ask("go", name="a", back=None)
        """
    )
    assert warded.wait() == 0
    first, score, again = warded.said
    assert first == again
    assert first.endswith("True")
    assert score == "1000"


def test_a_template_that_goes_and_ends_in_the_same_moment_takes_nobody_along(
    tmp_path: Path,
) -> None:
    """Memory is short: the system ends it as the warden lets it go, and both are heard of."""
    program = """
import socket, sys
from jupyter_rewind.kernels.templates import warden
one = warden.Warden(sys.argv[1], 1, 1)
ours, theirs = socket.socketpair()
peer = warden.Peer(ours, 1)
one._selector.register(ours, 1, None)
one._drop(peer)
theirs.close()
one._hear(peer)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
