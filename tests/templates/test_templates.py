"""Whole kernels asleep in memory, each of which can go on: real kernels, real forks."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting.process import find_process, is_group_alive
from tests.support.kernels import Home, eventually, running
from tests.support.templates import Templated, members, templates

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="templates are Linux's"),
]
Start = Callable[..., Templated]


def test_a_generator_goes_on_mid_way_as_often_as_one_goes_back(start: Start) -> None:
    """The same template brings it back twice, under the same kernel, on the same ports."""
    kernel = start()
    kernel.keep("g = (n * n for n in range(9)); next(g), next(g)", 1)
    ports = kernel.manager.get_connection_info()
    assert kernel.run("next(g)").result == "4"

    for _ in range(2):
        said = kernel.go_back(1)
        assert "after In[1]" in said.text
        answer = kernel.run("next(g), next(g)")
        assert answer.result == "(4, 9)"

    assert kernel.manager.get_connection_info() == ports
    assert kernel.run("2").status == "ok"


@pytest.mark.long
def test_the_state_of_c_code_and_the_place_in_a_file_come_back(
    start: Start, tmp_path: Path
) -> None:
    """Neither is anything that could be written down as a value."""
    book = tmp_path / "book"
    book.write_text("".join(f"line {n}\n" for n in range(9)))
    kernel = start()
    kernel.keep(
        "import ctypes; libc = ctypes.CDLL(None); libc.srand(7); libc.rand()\n"
        f"book = open({str(book)!r}); book.readline()",
        1,
    )
    expected = kernel.run("[libc.rand() for _ in '123'], book.readline()").result

    kernel.go_back(1)

    assert kernel.run("[libc.rand() for _ in '123'], book.readline()").result == expected
    assert "line 1" in expected


@pytest.mark.long
def test_what_is_printed_and_logged_after_it_reaches_the_page(start: Start) -> None:
    """A logger that was set up before holds the stream of then: it is the same one."""
    kernel = start()
    kernel.keep("import logging, sys; logging.basicConfig(stream=sys.stderr)", 1)
    kernel.go_back(1)

    said = kernel.run("print('here'); logging.error('there'); 'result'")

    assert "here" in said.text
    assert "there" in said.text
    assert said.result == "'result'"


def test_the_next_cells_are_a_branch_of_the_cell_it_went_back_to(start: Start, home: Home) -> None:
    """In the journal they follow, in the states they stand on the one of that cell."""
    kernel = start()
    kernel.keep("x = 1", 1)
    kernel.run("x = 2")
    kernel.go_back(1)
    kernel.run("x = 3")

    said = kernel.run("%rewind history").text

    assert "from In[1]" in said
    sources = [each.source for each in home.executions()]
    assert sources[:2] == ["x = 1", "x = 2"]
    assert sources[-2:] == ["x = 3", "%rewind history"]
    assert len(home.runs()) == 1
    assert kernel.run("%rewind to 1\nx").result == "1"


def test_only_the_last_cells_are_kept_and_the_chosen_one_stays(start: Start) -> None:
    """Of five cells the last two sleep; the others say that they are not there."""
    kernel = start(most=2)
    for number in range(1, 6):
        kernel.keep(f"x = {number}", number)

    eventually(lambda: len(templates(kernel.group)) == 2, "two templates")
    refused = kernel.run("%rewind to 1 --whole")
    assert "There is no template of 1" in refused.text
    assert kernel.run("x").result == "5"

    kernel.keep("y = 1", 8)
    kernel.keep("y = 2", 9)
    kernel.go_back(8)  # that cell's own template would be the third
    assert kernel.run("y").result == "1"


def test_a_thread_that_works_is_named_and_nothing_is_forked(start: Start) -> None:
    """As soon as it waits, there is a template again, which does not take the thread along; all
    that also where it is called as one of the kernel's own, or of Rewind's."""
    kernel = start()
    kernel.run(
        "import threading; stop = threading.Event()\n"
        "def spin():\n    while not stop.is_set(): sum(range(100))\n"
        "worker = threading.Thread(target=spin, name='IOPub', daemon=True); worker.start()"
    )
    assert kernel.run("1").status == "ok"
    why = "In[2] has none: the thread IOPub is not known to wait"
    eventually(lambda: why in kernel.list(), why)
    assert "There are no templates" in kernel.list()
    assert not templates(kernel.group)

    kernel.keep(
        "stop.set(); worker.join(); hold = threading.Event()\n"
        "threading.Thread(target=hold.wait, name='rewind-waits', daemon=True).start()",
        3,
    )
    assert "Its threads do not: rewind-waits." in kernel.go_back(3).text
    names = "[t.name for t in threading.enumerate() if t.name == 'rewind-waits']"
    assert kernel.run(names).result == "[]"


def test_a_zeromq_context_of_ones_own_is_told_of(start: Start) -> None:
    """Its threads, and so its sockets, do not come back; the kernel's own do."""
    kernel = start(most=4)
    kernel.keep("import zmq", 1)
    kernel.keep("mine = zmq.Context(); mine.socket(zmq.PUB).bind('tcp://127.0.0.1:*')", 2)
    kernel.keep("3", 3)

    said = kernel.go_back(2).text
    assert "Its threads do not: those of a ZeroMQ context that is not the kernel's." in said
    assert "Its threads" not in kernel.go_back(1).text


@pytest.mark.long
def test_going_back_can_be_taken_back(start: Start) -> None:
    """The present sleeps, too, before the kernel goes back, and is named."""
    kernel = start()
    kernel.keep("g = iter(range(9)); next(g)", 1)
    kernel.keep("next(g), next(g)", 2)

    said = kernel.go_back(1)
    assert "`%rewind to 3 --whole` takes this back." in said.text
    assert kernel.run("next(g)").result == "1"

    kernel.go_back(3)
    assert kernel.run("next(g)").result == "3"


def test_a_cell_that_fails_after_asking_leaves_the_kernel_as_it_is(start: Start) -> None:
    """Nothing goes back behind an error."""
    kernel = start()
    kernel.keep("x = 1", 1)
    kernel.keep("x = 2", 2)

    said = kernel.run("%rewind to 1 --whole\n1 / 0")

    assert said.status == "error"
    assert "The cell failed" in said.text
    assert kernel.run("x").result == "2"


@pytest.mark.long
def test_cells_that_wait_behind_it_are_answered_and_not_run(start: Start) -> None:
    """As after an error: nothing runs in a kernel that is about to go."""
    kernel = start()
    kernel.keep("x = 1", 1)
    kernel.keep("x = 2", 2)
    before = kernel.kernel_pid()

    sent = [kernel.client.execute(source) for source in ("%rewind to 1 --whole", "x = 3", "x = 4")]
    told = {}
    while len(told) < len(sent):
        reply = kernel.client.get_shell_msg(timeout=30)
        told[reply["parent_header"]["msg_id"]] = reply["content"]["status"]

    assert [told[each] for each in sent] == ["ok", "aborted", "aborted"]
    eventually(lambda: find_process(before) is None, "the present ends")
    kernel.connect()
    assert kernel.run("x").result == "1"
    assert kernel.run("%rewind history").text.count("x = ") == 2


@pytest.mark.long
def test_an_interrupt_reaches_the_cell_and_no_template(start: Start) -> None:
    """Jupyter sends it to the whole group of processes."""
    kernel = start()
    kernel.keep("import time, threading", 1)
    before = templates(kernel.group)

    kernel.client.execute("print('runs', flush=True); time.sleep(60)")
    _wait_for_output(kernel, "runs")
    kernel.manager.interrupt_kernel()
    reply = kernel.client.get_shell_msg(timeout=30)

    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert set(before) <= set(templates(kernel.group))
    kernel.go_back(1)
    assert kernel.run("time.sleep(0); 5").result == "5"


def _wait_for_output(kernel: Templated, text: str) -> None:
    while True:
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["msg_type"] == "stream" and text in message["content"]["text"]:
            return


@pytest.mark.parametrize("end", ["shutdown", "kill the kernel", "kill the warden", "restart"])
def test_nothing_is_left_alive(start: Start, end: str) -> None:
    """However the kernel ends, its templates end with it, also one that it came from."""
    kernel = start()
    kernel.keep("x = 1", 1)
    kernel.go_back(1)
    kernel.keep("x = 2", 2)
    group = kernel.group
    assert len(templates(group)) >= 2

    if end == "shutdown":
        kernel.manager.shutdown_kernel()
    elif end == "restart":
        kernel.manager.restart_kernel()
    else:
        os.kill(kernel.kernel_pid() if end == "kill the kernel" else group, signal.SIGKILL)

    eventually(lambda: not is_group_alive(group), f"all has ended: {members(group)}")
    if end == "restart":
        kernel.connect()
        kernel.keep("x = 3", 1)
        assert kernel.run("x").result == "3"


@pytest.mark.long
def test_templates_sleep_without_a_processor(start: Start) -> None:
    """For a second, none of them runs at all."""
    kernel = start()
    kernel.keep("x = 1", 1)
    kernel.keep("x = 2", 2)
    pids = templates(kernel.group)

    def rest() -> bool:
        before = {pid: _turns(pid) for pid in pids}
        time.sleep(1)
        return {pid: _turns(pid) for pid in pids} == before

    eventually(rest, "a second without a turn")


def _turns(pid: int) -> str:
    """How often the system let it run."""
    return Path(f"/proc/{pid}/schedstat").read_text().split()[2]


@pytest.mark.long
def test_a_template_has_memory_of_its_own_only_for_what_changed(start: Start) -> None:
    """What the kernel rewrote is the template's; beyond the limit, the oldest go."""
    kernel = start(most=5, JUPYTER_REWIND_KERNELS_TEMPLATES_MB="230")
    kernel.run("%rewind off")
    kernel.keep("data = bytearray(b'1') * (100 << 20)", 2)
    kernel.keep("data[:] = b'2' * len(data)", 3)
    assert 100 < kernel.own_megabytes(2) < 170

    kernel.keep("data[:] = b'3' * len(data)", 4)

    eventually(lambda: not kernel.has(2), "the oldest has gone")
    kernel.go_back(4)
    assert kernel.run("bytes(data[:2])").result == "b'33'"


def test_without_the_setting_there_is_nothing_of_it(home: Home) -> None:
    """No process between Jupyter and the kernel, nothing imported; and the words say how."""
    with running(home, provisioner="rewind-host") as kernel:
        said = kernel.run("import sys; [m for m in sys.modules if 'rewind' in m and 'templ' in m]")
        assert said.result == "[]"
        assert kernel.run("import os; os.getpid()").result == str(kernel.pid)
        assert "kernels.templates is 0" in kernel.run("%rewind to 1 --whole").text


def test_a_kernel_that_is_not_hosted_says_what_it_needs(home: Home) -> None:
    """The setting alone makes no template."""
    with running(home, JUPYTER_REWIND_KERNELS_TEMPLATES="3") as kernel:
        kernel.run("x = 1")
        assert "kernels.host" in kernel.run("%rewind templates").text
        assert "kernels.host" in kernel.run("%rewind to 1 --whole").text
