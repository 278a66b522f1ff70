"""Images of whole kernel processes, with a real server, real kernels and the real CRIU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from jupyter_rewind.faces.cli import app
from jupyter_rewind.kernels.hosting.record import Place, places
from jupyter_rewind.kernels.hosting.rooms import ask_keeper
from tests.support.criu import require_criu
from tests.support.kernels import PATIENCE, Home, eventually
from tests.support.servers import Server

pytestmark = pytest.mark.slow
NOTEBOOK = "analysis.ipynb"
SCHEMA = Path(app.__file__).with_name("output.schema.json")


class Imaged:
    """A notebook's kernel in a server that makes images, and the command that makes them."""

    def __init__(
        self, home: Home, server: Server, environment: dict[str, str], kernel: str
    ) -> None:
        self.home = home
        self.server = server
        self._environment = environment
        server.put(NOTEBOOK, "1")
        body = {
            "path": NOTEBOOK,
            "name": NOTEBOOK,
            "type": "notebook",
            "kernel": {"name": kernel},
        }
        self.session = server.ask("POST", "api/sessions", body)
        self.kernel = str(self.session["kernel"]["id"])
        self.connection = home.folder / "runtime" / f"kernel-{self.kernel}.json"
        self.place = Place(self.connection, self.kernel)

    @contextmanager
    def client(self) -> Iterator[BlockingKernelClient]:
        kernel = BlockingKernelClient()
        kernel.load_connection_file(str(self.connection))
        kernel.start_channels(hb=False)
        try:
            kernel.wait_for_ready(timeout=PATIENCE)
            yield kernel
        finally:
            kernel.stop_channels()

    def run(self, source: str) -> str:
        """What the cell prints, or its error."""
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            said.append(content.get("text", "") or content.get("evalue", ""))

        with self.client() as kernel:
            kernel.execute_interactive(source, output_hook=hear, timeout=PATIENCE)
        return "".join(said)

    def command(self, *words: str, status: int = 0, **more: str) -> dict[str, Any]:
        """What `jupyter rewind image` answers; its error where it ends with another status."""
        return self.rewind("image", *words, status=status, **more)

    def rewind(self, *words: str, status: int = 0, **more: str) -> dict[str, Any]:
        """What another command answers."""
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_rewind.faces.cli.app", *words, "--json"],
            env={**self._environment, **more},
            cwd=self.home.notebook.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
        )
        assert done.returncode == status, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout or done.stderr)
        jsonschema.validate(found, json.loads(SCHEMA.read_text()))
        return dict(found.get("data", found))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path)
    yield found
    for place in places(tmp_path / "runtime"):
        hosted = place.read()
        if hosted is not None and hosted.is_alive:
            os.kill(hosted.process.pid, signal.SIGKILL)


@pytest.fixture
def start(home: Home) -> Iterator[Callable[..., Imaged]]:
    criu = require_criu()
    environment = {
        **home.environment,
        "JUPYTER_REWIND_KERNELS_HOST": "true",
        "JUPYTER_REWIND_KERNELS_IMAGES": "true",
        "JUPYTER_REWIND_KERNELS_CRIU": criu.path,
    }
    running: list[Server] = []

    def started(kernel: str = "python3") -> Imaged:
        server = Server(home.notebook.parent, environment)
        running.append(server)
        server.wait()
        return Imaged(home, server, environment, kernel)

    yield started
    for server in running:
        server.stop()


@pytest.fixture
def imaged(start: Callable[..., Imaged]) -> Imaged:
    return start()


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
    """Asleep it has no process; its notebook still has it; awake all is there."""
    imaged.run(LIVING)
    imaged.command("create", NOTEBOOK, "--stop")
    assert ask_keeper(imaged.place.folder, "status", {})["kernel"] == 0
    kernels = imaged.server.ask("GET", "api/kernels")
    assert [each["id"] for each in kernels] == [imaged.kernel]
    told = imaged.command("create", NOTEBOOK, status=4)
    assert "sleeps" in json.dumps(told)
    assert imaged.command("restore", NOTEBOOK)["kept"] is None
    assert imaged.run("print(next(numbers))") == "1\n"


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


def test_an_image_whose_files_have_changed_is_refused_before_the_kernel_is_touched(
    imaged: Imaged,
) -> None:
    """It would write over what came after; the kernel goes on as it is."""
    imaged.run("file = open('out.txt', 'w'); file.write('one'); file.flush(); x = 1")
    imaged.command("create", NOTEBOOK)
    imaged.run("file.write('two'); file.flush(); x = 2")
    told = json.dumps(imaged.command("restore", NOTEBOOK, status=7))
    assert "out.txt has changed since" in told and "not touched" in told
    assert imaged.run("print(x)") == "2\n"
    assert (imaged.home.notebook.parent / "out.txt").read_text() == "onetwo"


def test_a_kernel_goes_on_where_criu_cannot_take_it(imaged: Imaged, tmp_path: Path) -> None:
    """One clear sentence; nothing is stored."""
    fake = tmp_path / "criu"
    fake.write_text(
        '#!/bin/sh\ncase "$1" in\n--version) echo "Version: 4.2.1";;\ncheck) exit 0;;\n'
        'dump) while [ "$1" != --images-dir ]; do shift; done\n'
        'echo "(00.1) Error (criu/x.c:1): Unknown anon inode: io_uring" > "$2/dump.log"; exit 1;;\n'
        "esac\n"
    )
    fake.chmod(0o755)
    imaged.run("x = 1")
    more = {"JUPYTER_REWIND_KERNELS_CRIU": str(fake)}
    told = json.dumps(imaged.command("create", NOTEBOOK, status=6, **more))
    assert "it uses io_uring" in told and "goes on as before" in told
    assert imaged.run("print(x)") == "1\n"
    assert imaged.command("list")["images"] == []


def test_a_restore_that_fails_leaves_the_kernel_as_it_was(imaged: Imaged, tmp_path: Path) -> None:
    """Its own image, made just before, comes back instead."""
    imaged.run("x = 1")
    imaged.command("create", NOTEBOOK)
    imaged.run("x = 2")
    criu = require_criu().path
    flag = tmp_path / "failed once"
    fake = tmp_path / "criu"
    fake.write_text(
        f'#!/bin/sh\nif [ "$1" = restore ] && [ ! -e "{flag}" ]; then touch "{flag}"; exit 1; fi\n'
        f'exec {criu} "$@"\n'
    )
    fake.chmod(0o755)
    more = {"JUPYTER_REWIND_KERNELS_CRIU": str(fake)}
    told = json.dumps(imaged.command("restore", NOTEBOOK, "head", status=7, **more))
    assert flag.exists() and "as it was" in told
    assert imaged.run("print(x)") == "2\n"


def test_an_old_criu_gives_one_clear_sentence(imaged: Imaged, tmp_path: Path) -> None:
    """It is not tried, and the kernel is not touched."""
    fake = tmp_path / "criu"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Version: 3.17.1"\n')
    fake.chmod(0o755)
    more = {"JUPYTER_REWIND_KERNELS_CRIU": str(fake)}
    told = json.dumps(imaged.command("create", NOTEBOOK, status=6, **more))
    assert "CRIU 3.17.1" in told and "4.2 or later" in told
    assert imaged.run("print(1)") == "1\n"


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


def test_a_garbled_image_is_found_before_criu_sees_it(imaged: Imaged) -> None:
    """Its tags do not fit; the kernel is not touched."""
    imaged.run("import os; block = os.urandom(8 << 20); x = 1")
    imaged.command("create", NOTEBOOK)
    imaged.run("x = 2")
    segments = imaged.home.folder / "data" / "rewind" / "segments"
    largest = max(segments.rglob("*"), key=lambda path: path.stat().st_size)
    with largest.open("r+b") as file:
        middle = largest.stat().st_size // 2
        file.seek(middle)
        found = file.read(64)
        file.seek(middle)
        file.write(bytes(each ^ 255 for each in found))
    told = json.dumps(imaged.command("restore", NOTEBOOK, status=5))
    assert "damaged" in told
    assert imaged.run("print(x)") == "2\n"


def test_criu_killed_in_the_middle_leaves_the_kernel_running(
    imaged: Imaged, tmp_path: Path
) -> None:
    """Of the dump, five times over; the next image is whole."""
    imaged.run("import os; block = os.urandom(64 << 20); x = 1")
    criu = require_criu().path
    fake = tmp_path / "criu"
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = dump ] || exec {criu} "$@"\n'
        f'{criu} "$@" & pid=$!; sleep 0.0$(( $(cat {tmp_path}/count) * 3 )); kill -9 $pid\n'
        "wait $pid; exit 1\n"
    )
    fake.chmod(0o755)
    for number in range(1, 6):
        (tmp_path / "count").write_text(str(number))
        more = {"JUPYTER_REWIND_KERNELS_CRIU": str(fake)}
        imaged.command("create", NOTEBOOK, status=6, **more)
        assert imaged.run("print(x)") == "1\n"
    imaged.command("create", NOTEBOOK)
    imaged.run("x = 2")
    imaged.command("restore", NOTEBOOK, "head")
    assert imaged.run("print(x)") == "1\n"


def test_only_the_owner_reads_what_lies_about_of_an_image(imaged: Imaged) -> None:
    """The folder of a kernel, the socket of its keeper and the store are for the owner alone."""
    imaged.run("secret = 'x' * 100")
    imaged.command("create", NOTEBOOK)
    store = imaged.home.folder / "data" / "rewind"
    for path in (imaged.place.folder, store):
        assert path.stat().st_mode & 0o077 == 0, path
    assert imaged.place.control.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in imaged.place.folder.glob("image-*")] == []


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


def test_a_kernel_of_another_language_comes_back(start: Callable[..., Imaged], home: Home) -> None:
    """A shell with its variables, which the kernel talks to through a terminal of its own."""
    pytest.importorskip("bash_kernel")
    folder = home.folder / "data" / "kernels" / "shell"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"],
        "display_name": "Shell",
        "language": "bash",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    imaged = start("shell")
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
