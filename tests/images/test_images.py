"""Images of whole kernel processes, with a real server, real kernels and the real CRIU."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from jupyter_rewind.kernels.hosting.rooms import ask_keeper
from tests.support.imaged import NOTEBOOK, Imaged
from tests.support.kernels import PATIENCE, Home, eventually

pytestmark = pytest.mark.images


LIVING = """
import os, threading, time
numbers = iter(range(1000)); next(numbers)
ticks = []
def tick():
    while True:
        time.sleep(0.01); ticks.append(1)
threading.Thread(target=tick, daemon=True).start()
pid = os.getpid()
"""


def test_a_kernel_is_brought_back_whole_into_itself(imaged: Imaged) -> None:
    """Generators, threads and numbers of processes; same id, same connection; twice over."""
    imaged.run(LIVING)
    before = imaged.command("create", NOTEBOOK, "--label", "begin")["image"]
    assert imaged.run("print(next(numbers)); lost = 1") == "1\n"
    done = imaged.command("restore", NOTEBOOK, "begin")
    assert done["image"]["id"] == before["id"]
    assert imaged.run("print(next(numbers), os.getpid() == pid)") == "1 True\n"
    assert "not defined" in imaged.run("lost")
    imaged.run("seen = len(ticks)\nwhile len(ticks) == seen: time.sleep(0.01)")
    kernels = imaged.server.ask("GET", "api/kernels")
    assert [each["id"] for each in kernels] == [imaged.kernel]
    imaged.command("restore", NOTEBOOK, done["kept"]["id"])
    assert imaged.run("print(next(numbers), lost)") == "2 1\n"


def test_a_second_image_costs_what_changed(imaged: Imaged) -> None:
    """And the first is compressed."""
    imaged.run("import os; block = os.urandom(64 << 20)")
    first = imaged.command("create", NOTEBOOK)["image"]
    assert first["new_bytes"] > 64 << 20
    imaged.run("n = 1")
    second = imaged.command("create", NOTEBOOK)["image"]
    assert second["new_bytes"] < first["new_bytes"] * 0.05
    listed = imaged.command("list", NOTEBOOK)["images"]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]


def test_a_kernel_sleeps_and_wakes(imaged: Imaged) -> None:
    """Asleep it has no process; its notebook still has it; awake all is there. The list of kernels
    says which it is."""
    imaged.run(LIVING)
    assert "running" in imaged.said("kernels")
    imaged.command("create", NOTEBOOK, "--stop")
    assert ask_keeper(imaged.place.folder, "status", {})["kernel"] == 0
    kernels = imaged.server.ask("GET", "api/kernels")
    assert [each["id"] for each in kernels] == [imaged.kernel]
    told = imaged.command("create", NOTEBOOK, status=4)
    assert "sleeps" in json.dumps(told)
    assert "asleep" in imaged.said("kernels")
    assert imaged.command("restore", NOTEBOOK)["kept"] is None
    assert imaged.run("print(next(numbers))") == "1\n"
    assert "asleep" not in imaged.said("kernels")


def test_an_image_in_the_middle_of_a_cell_goes_on_there(imaged: Imaged) -> None:
    """The cell that ran then ends after the restore."""
    sign = imaged.home.folder / "go on"
    imaged.run("import os, time")
    with imaged.client() as kernel:
        kernel.execute(
            "done = []\nprint('begun', flush=True)\n"
            f"while not os.path.exists({str(sign)!r}): time.sleep(0.01)\n"
            "done.append('cell')"
        )
        eventually(
            lambda: kernel.get_iopub_msg(timeout=PATIENCE)["msg_type"] == "stream", "it has begun"
        )
    imaged.command("create", NOTEBOOK)
    sign.touch()
    assert imaged.run("done.append('after'); print(done)") == "['cell', 'after']\n"
    sign.unlink()
    imaged.command("restore", NOTEBOOK, "head")
    sign.touch()
    assert imaged.run("print(done)") == "['cell']\n"


def test_interrupts_and_restarts_reach_a_kernel_that_came_back(imaged: Imaged) -> None:
    """As they reach any other."""
    imaged.run("import time")
    imaged.command("create", NOTEBOOK)
    imaged.command("restore", NOTEBOOK)
    with imaged.client() as kernel:
        request = kernel.execute("print('begun', flush=True)\nwhile True: time.sleep(0.01)")
        eventually(
            lambda: kernel.get_iopub_msg(timeout=PATIENCE)["msg_type"] == "stream", "it has begun"
        )
        imaged.server.ask("POST", f"api/kernels/{imaged.kernel}/interrupt")
        reply = kernel.get_shell_msg(timeout=PATIENCE)
        assert reply["parent_header"]["msg_id"] == request
        assert reply["content"]["ename"] == "KeyboardInterrupt"
    imaged.server.ask("POST", f"api/kernels/{imaged.kernel}/restart")
    assert "not defined" in imaged.run("print(time)")
    imaged.command("restore", NOTEBOOK, "head")


def test_images_have_names_and_are_deleted(imaged: Imaged) -> None:
    """Beyond the number that the settings keep, those without a name go by themselves."""
    first = imaged.command("create", NOTEBOOK)["image"]["id"]
    imaged.command("label", NOTEBOOK, first, "--label", "good")
    more = {"JUPYTER_REWIND_KERNELS_KEEP_IMAGES": "1"}
    for _ in range(2):
        last = imaged.command("create", NOTEBOOK, **more)["image"]["id"]
    listed = imaged.command("list")["images"]
    assert [(each["id"], each["labels"]) for each in listed] == [(last, []), (first, ["good"])]
    imaged.command("delete", NOTEBOOK, last)
    assert [each["id"] for each in imaged.command("list")["images"]] == [first]
    imaged.command("create", NOTEBOOK, "--label", "good")
    assert [each["labels"] for each in imaged.command("list")["images"]] == [["good"], []]


def test_a_kernel_comes_back_after_it_was_killed_with_its_server(
    start: Callable[..., Imaged],
) -> None:
    """Under its old id; the next server has it, with its session."""
    imaged = start()
    imaged.run(LIVING)
    imaged.command("create", NOTEBOOK)
    hosted = imaged.place.read()
    assert hosted is not None
    imaged.server.stop(signal.SIGKILL)
    os.kill(hosted.process.pid, signal.SIGKILL)
    eventually(lambda: not hosted.is_alive, "the kernel is gone")
    assert imaged.command("restore", NOTEBOOK)["kept"] is None
    assert imaged.run("print(next(numbers))") == "1\n"
    server = start().server
    assert imaged.session["id"] in [each["id"] for each in server.ask("GET", "api/sessions")]
    assert imaged.kernel in [each["id"] for each in server.ask("GET", "api/kernels")]
    assert imaged.run("print(next(numbers), os.getpid() == pid)") == "2 True\n"


def test_a_kernel_that_was_shut_down_comes_back_into_the_server_that_runs(
    imaged: Imaged,
) -> None:
    """It is the server's again within moments."""
    imaged.run(LIVING)
    imaged.command("create", NOTEBOOK)
    imaged.server.ask("DELETE", f"api/sessions/{imaged.session['id']}")
    assert not imaged.connection.exists()
    imaged.command("restore", NOTEBOOK)
    eventually(
        lambda: (
            imaged.session["id"]
            in [each["id"] for each in imaged.server.ask("GET", "api/sessions")]
        ),
        "the server has the session",
    )
    assert imaged.run("print(next(numbers))") == "1\n"
    imaged.server.ask("DELETE", f"api/sessions/{imaged.session['id']}")
    assert not imaged.connection.exists()


def test_a_killed_kernel_is_brought_back_into_the_one_that_jupyter_started_anew(
    imaged: Imaged,
) -> None:
    """The restarter's fresh kernel gives way; and so three times in a row."""
    imaged.run(LIVING)
    imaged.command("create", NOTEBOOK)
    for _ in range(3):
        before = imaged.place.read()
        assert before is not None
        os.kill(before.process.pid, signal.SIGKILL)

        def is_new(old: object = before.process) -> bool:
            found = imaged.place.read()
            return found is not None and found.is_alive and found.process != old

        eventually(is_new, "Jupyter has started it anew")
        first = imaged.command("list", NOTEBOOK)["images"][-1]["id"]
        imaged.command("restore", NOTEBOOK, first)
        assert imaged.run("print(next(numbers))") == "1\n"


def test_a_store_with_images_is_verified_and_gives_their_room_back(imaged: Imaged) -> None:
    """`verify` finds nothing wrong; after a deletion `collect` frees what only it needed."""
    imaged.run("import os; block = os.urandom(32 << 20)")
    made = imaged.command("create", NOTEBOOK)["image"]["id"]
    imaged.rewind("verify")
    imaged.command("delete", NOTEBOOK, made)
    freed = imaged.rewind("collect")
    assert freed["freed_bytes"] > 32 << 20, freed
    imaged.rewind("verify")


def test_libraries_and_open_plots_come_back(imaged: Imaged) -> None:
    """numpy, pandas, matplotlib, a pool of threads, a connection to a database; ten images."""
    for name in ("numpy", "pandas", "matplotlib"):
        pytest.importorskip(name)
    imaged.run(
        "import numpy as np, pandas as pd, matplotlib; matplotlib.use('agg')\n"
        "import matplotlib.pyplot as plt, sqlite3, concurrent.futures\n"
        "a = np.random.default_rng(0).random((500, 500)); s = (a @ a).sum()\n"
        "frame = pd.DataFrame(a); figure = plt.figure(); plt.plot(a[0])\n"
        "pool = concurrent.futures.ThreadPoolExecutor(4); list(pool.map(abs, range(8)))\n"
        "base = sqlite3.connect(':memory:'); base.execute('create table t(x)')\n"
        "base.execute('insert into t values (7)'); count = 0"
    )
    for _ in range(10):
        imaged.command("create", NOTEBOOK)
        imaged.run("count += 1")
    imaged.command("restore", NOTEBOOK, "head")
    said = imaged.run(
        "print(count, bool(np.isclose((a @ a).sum(), s)), frame.shape, len(figure.axes),"
        " list(pool.map(abs, [-3])), base.execute('select x from t').fetchall())"
    )
    assert said == "9 True (500, 500) 1 [3] [(7,)]\n"


def offer_kernel(home: Home, language: str, *command: str) -> None:
    """There is a kernel of this language, by its name."""
    folder = home.folder / "data" / "kernels" / language
    folder.mkdir(parents=True)
    spec = {"argv": [*command], "display_name": language, "language": language}
    (folder / "kernel.json").write_text(json.dumps(spec))


def has_r() -> bool:
    """Whether R is installed, with its kernel."""
    tool = shutil.which("Rscript")
    command = [tool or "false", "-e", "library(IRkernel)"]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_kernel_of_r_comes_back(start: Callable[..., Imaged], home: Home) -> None:
    """Variables, a function with what it remembers, its chance, a cell in the middle; asleep, too,
    and after a kill."""
    if not has_r():
        pytest.skip("R with its kernel is not installed (Debian: r-cran-irkernel)")
    offer_kernel(home, "R", "R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}")
    imaged = start("R")
    imaged.run("count <- local({ n <- 0; function() { n <<- n + 1; n } }); set.seed(7)")
    assert imaged.run("cat(count())") == "1"
    imaged.command("create", NOTEBOOK, "--label", "one")
    drawn = imaged.run("cat(count(), runif(3))")
    for _ in range(3):
        imaged.command("restore", NOTEBOOK, "one")
        assert imaged.run("cat(count(), runif(3))") == drawn
    sign = imaged.home.folder / "go on"
    with imaged.client() as kernel:
        kernel.execute(
            f"cat('begun'); flush(stdout()); while (!file.exists('{sign}')) Sys.sleep(0.01);"
            " done <- count()"
        )
        eventually(
            lambda: kernel.get_iopub_msg(timeout=PATIENCE)["msg_type"] == "stream", "it has begun"
        )
    imaged.command("create", NOTEBOOK, "--label", "amid")
    sign.touch()
    assert imaged.run("cat(done)") == "3"
    sign.unlink()
    imaged.command("restore", NOTEBOOK, "amid")
    sign.touch()
    assert imaged.run("cat(done, count())") == "3 4"
    imaged.command("create", NOTEBOOK, "--stop")
    imaged.command("restore", NOTEBOOK)
    assert imaged.run("cat(count())") == "5"
    hosted = imaged.place.read()
    assert hosted is not None
    imaged.server.stop(signal.SIGKILL)
    os.kill(hosted.process.pid, signal.SIGKILL)
    eventually(lambda: not hosted.is_alive, "the kernel is gone")
    imaged.command("restore", NOTEBOOK, "one")
    assert imaged.run("cat(count(), runif(3))") == drawn


def test_a_kernel_of_another_language_comes_back(start: Callable[..., Imaged], home: Home) -> None:
    """A shell with its variables, which the kernel talks to through a terminal of its own."""
    pytest.importorskip("bash_kernel")
    offer_kernel(home, "bash", sys.executable, "-m", "bash_kernel", "-f", "{connection_file}")
    imaged = start("bash")
    imaged.run("x=before")
    imaged.command("create", NOTEBOOK)
    imaged.run("x=after")
    assert imaged.run("echo $x") == "after\n"
    imaged.command("restore", NOTEBOOK, "head")
    assert imaged.run("echo $x") == "before\n"


def test_what_a_kernel_started_comes_back_with_it(imaged: Imaged) -> None:
    """A subprocess with pipes, a pool of processes, a running coroutine."""
    imaged.run(
        "import asyncio, multiprocessing, subprocess\n"
        "pool = multiprocessing.get_context('fork').Pool(2); pool.map(abs, [-1])\n"
        "child = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "said = []\n"
        "async def speak():\n"
        "    while True:\n"
        "        await asyncio.sleep(0.01); said.append(1)\n"
        "task = asyncio.get_running_loop().create_task(speak())"
    )
    imaged.command("create", NOTEBOOK)
    imaged.run("child.kill(); child.wait(); pool.terminate(); task.cancel()")
    imaged.command("restore", NOTEBOOK, "head")
    assert (
        imaged.run(
            "child.stdin.write(b'still here'); child.stdin.close()\n"
            "print(child.stdout.read(), pool.map(abs, [-2, -3]), task.done())"
        )
        == "b'still here' [2, 3] False\n"
    )
    imaged.run("pool.terminate(); seen = len(said)")
    imaged.run("await asyncio.sleep(0.5)\nwhile len(said) == seen: await asyncio.sleep(0.01)")
