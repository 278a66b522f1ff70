"""Many rounds: an image, work, the kernel killed or not, the image back; none may be lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from jupyter_rewind.kernels.hosting.provisioner import HostProvisioner
from jupyter_rewind.kernels.hosting.record import places
from jupyter_rewind.kernels.images.imaging import ProcessImages
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.verify import verify
from tests.support.criu import require_criu
from tests.support.imaged import run_in
from tests.support.kernels import eventually
from tests.support.ports import set_ports

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
_ROUNDS = 50
_LIVING = """
import os, threading
block = bytearray(os.urandom(16 << 20)); done = []
numbers = iter(range(10**6)); ticks = []
pause = threading.Event()
def tick():
    while True:
        pause.wait(0.05); ticks.append(1)
threading.Thread(target=tick, daemon=True).start()
"""


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The connection file of a kernel that images are made of, without a server."""
    require_criu()
    monkeypatch.setenv("JUPYTER_REWIND_KERNELS_IMAGES", "true")
    monkeypatch.setenv("JUPYTER_REWIND_STORE_PATH", str(tmp_path / "store"))
    monkeypatch.setenv("JUPYTER_REWIND_STORE_KEY_FOLDER", str(tmp_path / "keys"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    file = tmp_path / "kernel-rounds.json"
    manager = KernelManager(connection_file=str(file))
    set_ports(manager)
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="rounds",
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "rewind-host"}},
    )
    manager.start_kernel()
    provisioner = manager.provisioner
    assert isinstance(provisioner, HostProvisioner)
    provisioner.let_go()  # nobody has it: it may come back as another process
    manager.cleanup_connection_file = lambda: None  # type: ignore[method-assign]
    yield file
    for place in places(tmp_path):
        hosted = place.read()
        if hosted is not None and hosted.is_alive:
            os.kill(hosted.process.pid, signal.SIGKILL)


def test_fifty_rounds_lose_nothing(tmp_path: Path, connection: Path) -> None:
    """Back into the living kernel, back after a kill, and every tenth time beside it as well. The
    store verifies in the end, and IPython's history holds what ran in every round."""
    settings = Rewind()
    settings.kernels_criu = require_criu().path
    run_in(connection, _LIVING)
    with Repository.open(tmp_path / "store", key_folder=tmp_path / "keys", create=True) as store:
        images = ProcessImages(store, settings, tmp_path)
        for number in range(_ROUNDS):
            said = run_in(connection, f"done.append({number}); print(next(numbers))")
            assert said == f"{number}\n", number
            (hosted,) = images.kernels()
            image = images.create(hosted)
            run_in(connection, "done.append('lost'); next(numbers); block[:99] = os.urandom(99)")
            if number % 10 == 9:
                second = images.restore_beside(image)
                assert run_in(Path(second.connection), "print(len(done))") == f"{number + 1}\n"
                _kill(images, second.kernel)
            if number % 2:
                _kill(images, hosted.kernel)
                images.revive(image)
            else:
                images.restore(hosted, image)
        assert run_in(connection, f"print(done == list(range({_ROUNDS})))") == "True\n"
        run_in(connection, "seen = len(ticks)\nwhile len(ticks) < seen + 3: pause.wait(0.01)")
        assert verify(store, read_data=True).ok
    with closing(sqlite3.connect(next(tmp_path.rglob("history.sqlite")))) as base:
        lines = "\n".join(line for (line,) in base.execute("SELECT source_raw FROM history"))
    assert all(f"done.append({number})" in lines for number in range(_ROUNDS))


def _kill(images: ProcessImages, kernel: str) -> None:
    (hosted,) = [each for each in images.kernels() if each.kernel == kernel]
    os.kill(hosted.process.pid, signal.SIGKILL)
    eventually(lambda: not hosted.process.is_alive, "it is gone")
