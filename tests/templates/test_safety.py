"""What stands in the way of a fork, and what a fork keeps open; each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="templates are Linux's")
LOOK = """
import ctypes, threading, time
from jupyter_rewind.kernels.templates.safety import find_obstacle, undisturbed
def look(spared=lambda thread: False):
    with undisturbed():
        return find_obstacle(spared)
def begin(act, name):
    threading.Thread(target=act, name=name, daemon=True).start()
    time.sleep(0.05)
def spin():
    while True:
        pass
"""


def say(source: str, *words: str) -> str:
    """What the program prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source), *words],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_threads_that_wait_or_sleep_stand_in_nobodys_way() -> None:
    """For an event, in a queue, in `time.sleep`, in an executor."""
    assert not say(
        f"""{LOOK}
import queue
from concurrent.futures import ThreadPoolExecutor
begin(threading.Event().wait, "event")
begin(queue.Queue().get, "queue")
begin(lambda: time.sleep(60), "sleep")
ThreadPoolExecutor(1).submit(int).result()
time.sleep(0.1)
print(look())
import os, sys
sys.stdout.flush()
os._exit(0)
"""
    )


def test_a_thread_that_works_is_named_unless_it_is_spared() -> None:
    """With its name, and the function that it is in."""
    said = say(f"{LOOK}\nbegin(spin, 'mill')\nprint(look()); print(look(lambda one: True))")
    assert said == "the thread mill is not known to wait (in spin)"


def test_nobody_waits_long_for_a_thread_that_works() -> None:
    """While files are looked at, threads take turns as they always do."""
    said = say(
        f"""{LOOK}
import sys
turns = {{sys.getswitchinterval()}}
def mill():
    while True:
        turns.add(sys.getswitchinterval())
begin(mill, 'mill')
for _ in range(9):
    print(look())
print(len(turns))
"""
    )
    assert said.splitlines() == ["the thread mill is not known to wait (in mill)"] * 9 + ["1"]


def test_a_thread_of_a_library_is_in_the_way() -> None:
    """Python knows nothing of it."""
    said = say(
        f"""{LOOK}
libc = ctypes.CDLL(None)
libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, libc.pause, None)
print(look())
"""
    )
    assert said.startswith("a library has a thread (python")


def test_those_of_openblas_end_beforehand() -> None:
    """And begin anew with the next use."""
    assert (
        say(
            f"""{LOOK}
import numpy
ones = numpy.ones((400, 400))
ones @ ones
print(look() or (ones @ ones)[0, 0], look())
"""
        )
        == "400.0"
    )


def test_a_thread_that_computes_now_and_then_goes_on_whenever_one_looks() -> None:
    """The threads of OpenBLAS are not ended while they work for it: their end would never come."""
    said = say(
        f"""{LOOK}
import numpy, os
ones, done = numpy.ones((500, 500)), []
def work():
    while True:
        time.sleep(0.005)
        ones @ ones
        done.append(1)
begin(work, "computes")
for _ in range(60):
    look()
    before = len(done)
    while len(done) < before + 2:
        time.sleep(0.003)
print("goes on", flush=True)
os._exit(0)
"""
    )
    assert said == "goes on"


def test_only_the_main_thread_may_be_forked() -> None:
    """Another one would be all that is left."""
    said = say(
        f"""{LOOK}
import concurrent.futures
with concurrent.futures.ThreadPoolExecutor() as pool:
    print(pool.submit(look).result())
"""
    )
    assert said == "it does not run in the main thread"


def test_an_interrupt_waits_until_the_template_is_made() -> None:
    """Also where a thread other than the main one gets it first, as in each kernel."""
    said = say(
        """
import os, signal, threading, time
from types import SimpleNamespace as Thing
os.environ["REWIND_KERNEL_WARDEN"] = "/nowhere"
from jupyter_rewind.errors import Unavailable
from jupyter_rewind.faces.ipython.templates import Templates
class Session:
    is_busy = staticmethod(lambda: False)
    @property
    def timeline(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        print("not torn")
        raise Unavailable("there is none")
threading.Thread(target=threading.Event().wait, daemon=True).start()
shell = Thing(kernel=Thing(), execution_count=2)
try:
    Templates(shell, Session(), str).after_cell(Thing(info=Thing(store_history=True), success=True))
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""
    )
    assert said.splitlines() == ["not torn", "interrupted"]


def test_a_fork_has_its_own_place_in_files_and_no_part_in_connections(tmp_path: Path) -> None:
    """What listens at the kernel's ports stays, and Rewind's own files are closed."""
    store = tmp_path / "store"
    store.mkdir()
    (store / "segment").write_text("0123456789")
    (tmp_path / "book").write_text("0123456789")
    said = say(
        """
import os, socket, sys, tempfile
from jupyter_rewind.kernels.templates.descriptors import part
folder = sys.argv[1]
book, mine = open(f"{folder}/book", "rb", 0), open(f"{folder}/store/segment", "rb", 0)
book.read(3)
loose = tempfile.TemporaryFile(buffering=0)
loose.write(b"0123456789")
loose.seek(3)
heard, other = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
port = heard.getsockname()[1]
read, write = os.pipe()
child = os.fork()
if not child:
    kept = part({port}, [f"{folder}/store"], set())
    print(kept == {port: heard.fileno()}, book.read(3), mine.read(3), loose.read(3), flush=True)
    print(os.readlink(f"/proc/self/fd/{write}"), os.readlink(f"/proc/self/fd/{other.fileno()}"))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
print(book.read(3), mine.read(3), loose.read(3))
""",
        str(tmp_path),
    )
    assert said.splitlines() == [
        "True b'345' b'' b'345'",
        "/dev/null /dev/null",
        "b'345' b'012' b'345'",
    ]
