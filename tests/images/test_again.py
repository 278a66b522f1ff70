"""Images that come back elsewhere: beside the kernel that lives, after the machine started anew."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting.record import Hosted, Place
from tests.support.imaged import NOTEBOOK, Imaged, run_in
from tests.support.kernels import eventually

pytestmark = pytest.mark.images

TICKING = """
import os, threading, time
ticks = []
pause = threading.Event()
def tick():
    while True:
        pause.wait(0.05); ticks.append(time.monotonic())
threading.Thread(target=tick, daemon=True).start()
numbers = iter(range(9)); next(numbers)
"""


def test_an_image_comes_back_as_a_second_kernel_beside_the_first(imaged: Imaged) -> None:
    """With ports and an id of its own; the server has it; neither disturbs the other."""
    imaged.run(TICKING)
    imaged.command("create", NOTEBOOK)
    imaged.run("next(numbers); first = True")
    done = imaged.command("restore", NOTEBOOK, "--beside")
    second = Path(done["connection"])
    eventually(
        lambda: done["second"] in [e["id"] for e in imaged.server.ask("GET", "api/kernels")],
        "the server has it",
    )
    sessions = imaged.server.ask("GET", "api/sessions")
    assert {e["kernel"]["id"] for e in sessions} == {imaged.kernel, done["second"]}
    assert run_in(second, "print(next(numbers), 'first' in globals())") == "1 False\n"
    assert imaged.run("print(next(numbers), first)") == "2 True\n"
    assert run_in(second, "if not os.fork(): print('from a fork', flush=True); os._exit(0)") in (
        "from a fork\n",
        "",  # a fork's words may come after the cell's end
    )
    imaged.server.ask("POST", f"api/kernels/{done['second']}/interrupt")
    imaged.command("create", done["second"])
    imaged.server.ask("DELETE", f"api/kernels/{done['second']}")
    assert not second.exists()
    assert imaged.run("print(next(numbers))") == "3\n"


def test_a_kernel_comes_back_though_somebody_has_one_of_its_ports(imaged: Imaged) -> None:
    """By then; it has another one, which its connection tells, and the server has it."""
    imaged.run(TICKING)
    imaged.command("create", NOTEBOOK)
    before = json.loads(imaged.connection.read_text())
    imaged.server.ask("DELETE", f"api/sessions/{imaged.session['id']}")
    with socket.socket() as theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        theirs.bind(("127.0.0.1", before["shell_port"]))
        theirs.listen()
        imaged.command("restore", NOTEBOOK)
        after = json.loads(imaged.connection.read_text())
        assert {name for name in after if after[name] != before[name]} == {"shell_port"}
        assert imaged.run("print(next(numbers))") == "1\n"
        eventually(
            lambda: imaged.kernel in [e["id"] for e in imaged.server.ask("GET", "api/kernels")],
            "the server has it",
        )
        imaged.server.ask("POST", f"api/kernels/{imaged.kernel}/interrupt")
        assert imaged.run("print(next(numbers))") == "2\n"
        imaged.command("restore", imaged.kernel, "head~0")  # of before the port was another one
        assert imaged.run("print(next(numbers))") == "1\n"
        assert json.loads(imaged.connection.read_text()) == after


def test_a_kernel_whose_cells_ran_in_parallel_has_one_image_after_the_other(imaged: Imaged) -> None:
    """joblib's processes share semaphores: they go along, and nothing of them stands in the way of
    the next image, nor does what a CRIU that was killed has left of them."""
    memory = Path("/dev/shm")
    before = set(memory.glob("sem.loky-*"))
    imaged.run(
        "from joblib import Parallel, delayed\n"
        "def work(): return Parallel(2)(delayed(abs)(each) for each in (-1, -2))\n"
        "x = 1; work()"
    )
    imaged.command("create", NOTEBOOK)
    own = next(each for each in memory.glob("sem.loky-*") if each not in before)
    left = memory / f"link_remap.{os.getpid()}"
    left.hardlink_to(own)
    imaged.run("x = 2")
    imaged.command("create", NOTEBOOK)
    assert not left.exists()
    imaged.command("restore", NOTEBOOK, "head~1")
    assert imaged.run("print(x, work())") == "1 [1, 2]\n"
    own.unlink()
    imaged.server.ask("DELETE", f"api/sessions/{imaged.session['id']}")
    imaged.command("restore", NOTEBOOK, "head~1")
    assert own.exists()
    assert imaged.run("print(x, work())") == "2 [1, 2]\n"


def test_a_kernel_sleeps_and_wakes_after_a_library_of_it_was_replaced(
    imaged: Imaged, tmp_path: Path
) -> None:
    """Also by uv or conda, which keep the one that it has mapped under a second name: what it had
    is in the image, and nothing is left beside the new one."""
    found = importlib.util.find_spec("blake3.blake3")
    assert found is not None and found.origin is not None
    folder = tmp_path / "packages"
    folder.mkdir()
    library, kept = folder / "libone.so", tmp_path / "kept.so"
    shutil.copy(found.origin, kept)
    library.hardlink_to(kept)
    imaged.run(f"import ctypes; one = ctypes.CDLL({str(library)!r}); x = 1")
    library.unlink()
    library.write_bytes(b"another version")
    imaged.command("create", NOTEBOOK)
    imaged.command("create", NOTEBOOK, "--stop")
    imaged.command("restore", NOTEBOOK)
    assert imaged.run("print(x, bool(one.PyInit_blake3))") == "1 True\n"
    assert os.listdir(folder) == ["libone.so"] and library.read_bytes() == b"another version"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc, which makes libraries, is missing")
@pytest.mark.parametrize("is_kept", [True, False], ids=["by uv", "by pip"])
def test_a_library_that_was_replaced_may_be_removed_with_its_folder(
    imaged: Imaged, tmp_path: Path, is_kept: bool
) -> None:
    """The one that the kernel has mapped is in its image, also where its linker gave it no name."""
    folder = tmp_path / "packages" / "one"
    folder.mkdir(parents=True)
    library, kept = folder / "libone.so", tmp_path / "kept.so"
    (tmp_path / "one.c").write_text("int one(void) { return 1; }")
    command = ["gcc", "-shared", "-fPIC", "-Wl,--build-id=none", "-o", kept, tmp_path / "one.c"]
    subprocess.run(command, check=True)
    library.hardlink_to(kept)
    imaged.run(f"import ctypes; one = ctypes.CDLL({str(library)!r}); x = 1")
    library.unlink()
    library.write_bytes(kept.read_bytes() + b"2")
    if not is_kept:
        kept.unlink()
    imaged.command("create", NOTEBOOK, "--stop")
    shutil.rmtree(folder)
    imaged.command("restore", NOTEBOOK)
    assert imaged.run("print(x, one.one())") == "1 1\n"
    assert not os.listdir(folder.parent)


def test_no_second_kernel_uses_the_semaphores_of_the_first(imaged: Imaged) -> None:
    """As joblib's processes do: it is refused; the words tell how an image can be made that comes
    back beside the kernel."""
    imaged.run(
        "from joblib import Parallel, delayed\n"
        "def work(): return Parallel(2)(delayed(abs)(each) for each in (-1, -2))\n"
        "work()"
    )
    imaged.command("create", NOTEBOOK)
    told = imaged.command("restore", NOTEBOOK, "--beside", status=7)["error"]
    assert "share the semaphores" in told["message"]
    assert imaged.run("print(work())") == "[1, 2]\n"
    imaged.run(told["hint"].split("`")[1].replace("joblib", "import joblib; joblib", 1))
    imaged.command("create", NOTEBOOK)
    second = Path(imaged.command("restore", NOTEBOOK, "--beside")["connection"])
    assert run_in(second, "print(work())") == imaged.run("print(work())") == "[1, 2]\n"


def test_shared_memory_is_neither_shared_by_two_kernels_nor_missed_too_late(
    imaged: Imaged,
) -> None:
    """Memory with a name: a second kernel is refused, and so is a restore where it was removed
    since; both times the kernel is untouched. While it is there, it is what it is now."""
    imaged.run(
        "from multiprocessing.shared_memory import SharedMemory\n"
        "s = SharedMemory(create=True, size=4096); s.buf[0] = 1; x = 1"
    )
    imaged.command("create", NOTEBOOK, "--label", "one")
    told = imaged.command("restore", NOTEBOOK, "one", "--beside", status=7)["error"]
    assert "Two kernels would write into /dev/shm/psm_" in told["message"]
    imaged.run("s.buf[0] = 2; x = 2")
    imaged.command("restore", NOTEBOOK, "one")
    assert imaged.run("print(x, s.buf[0])") == "1 2\n"
    imaged.run("s.close(); s.unlink(); x = 3")
    told = imaged.command("restore", NOTEBOOK, "one", status=7)["error"]
    assert "/dev/shm/psm_" in told["message"] and "is gone" in told["message"]
    assert imaged.run("print(x)") == "3\n"


def test_an_image_of_an_earlier_kernel_is_the_notebooks_too(imaged: Imaged) -> None:
    """It is found by its name though the notebook has a new kernel, which is not touched; the words
    say how to connect the notebook to the one that came back."""
    imaged.run("numbers = iter(range(9)); next(numbers)")
    imaged.command("create", NOTEBOOK, "--label", "model trained")
    imaged.server.ask("DELETE", f"api/sessions/{imaged.session['id']}")
    body = {"path": NOTEBOOK, "name": NOTEBOOK, "type": "notebook", "kernel": {"name": "python3"}}
    present = imaged.server.ask("POST", "api/sessions", body)["kernel"]["id"]
    words = imaged.words("restore", NOTEBOOK, "model trained")
    assert present in words and "Change Kernel" in words and imaged.kernel[:8] in words
    eventually(
        lambda: len(imaged.server.ask("GET", "api/kernels")) == 2, "the server has both of them"
    )
    assert imaged.run("print(next(numbers))") == "1\n"
    imaged.command("create", present)
    assert imaged.words("restore", NOTEBOOK).startswith(f"Kernel {present} is as it was")


def test_no_second_kernel_writes_into_a_file_of_the_first(imaged: Imaged) -> None:
    """It is refused with the file's name; the first goes on."""
    imaged.run("file = open('out.txt', 'w'); x = 1")
    imaged.command("create", NOTEBOOK)
    told = imaged.command("restore", NOTEBOOK, "--beside", status=7)["error"]
    assert "Two kernels would write into" in told["message"] and "out.txt" in told["message"]
    assert imaged.run("print(x)") == "1\n"
    assert len(imaged.server.ask("GET", "api/kernels")) == 1


def test_a_kernel_comes_back_after_the_machine_started_anew(imaged: Imaged) -> None:
    """Nothing of the last start is there any more. The kernel has a clock of its own, which goes on
    where it was: what waits would wait for days where the machine's begins at nothing."""
    imaged.run(TICKING)
    imaged.command("create", NOTEBOOK)
    hosted = imaged.place.read()
    assert hosted is not None
    imaged.server.stop()
    _forget(hosted)
    imaged.command("restore", NOTEBOOK)
    run_in(imaged.connection, "seen = len(ticks)\nwhile len(ticks) < seen + 3: time.sleep(0.01)")
    said = run_in(imaged.connection, "print(next(numbers), ticks == sorted(ticks))")
    assert said == "1 True\n"
    clock = run_in(imaged.connection, "print(os.readlink('/proc/self/ns/time'))").strip()
    assert clock != os.readlink("/proc/self/ns/time")


def test_an_image_comes_back_on_another_machine_with_the_same_environment(imaged: Imaged) -> None:
    """As one file, in another store, with IPython's history of its run."""
    imaged.run(TICKING)
    imaged.run("remarkable = 7")
    imaged.command("create", NOTEBOOK)
    file = imaged.home.folder / "kernel.image"
    imaged.command("export", NOTEBOOK, "--to", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert "is there already" in json.dumps(
        imaged.command("export", NOTEBOOK, "--to", str(file), status=4)
    )
    hosted = imaged.place.read()
    assert hosted is not None
    book = Path(run_in(imaged.connection, "print(get_ipython().history_manager.hist_file)").strip())
    imaged.server.stop()
    _forget(hosted)
    book.unlink()

    other = imaged.home.folder / "other"
    machine = {f"JUPYTER_{name}_DIR": str(other / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    damaged = imaged.home.folder / "damaged"
    whole = file.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    imaged.command("import", str(damaged), status=5, **machine)
    done = imaged.command("import", str(file), **machine)
    assert done["differences"] == []
    imaged.command("restore", imaged.kernel, done["image"]["id"], **machine)
    connection = other / "RUNTIME" / imaged.connection.name
    assert run_in(connection, "print(next(numbers), remarkable)") == "1 7\n"
    with closing(sqlite3.connect(book)) as base:
        assert ("remarkable = 7",) in base.execute("SELECT source_raw FROM history").fetchall()
    second = Place(connection, imaged.kernel).read()
    assert second is not None
    os.kill(second.process.pid, signal.SIGKILL)


def _forget(hosted: Hosted) -> None:
    """As a machine's start does: no process, and nothing of the runtime folder."""
    if hosted.process.is_alive:
        os.kill(hosted.process.pid, signal.SIGKILL)
    eventually(lambda: not hosted.process.is_alive, "it is gone")
    Path(hosted.connection).unlink(missing_ok=True)
    place = Place(Path(hosted.connection), hosted.kernel)
    place.make()
    place.write(replace(hosted, boot="another start of the machine"))
