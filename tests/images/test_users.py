"""Images that a user without root's rights makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.criu import require_criu
from tests.support.processes import anybodys_folder

pytestmark = pytest.mark.images
_NOBODY = "65534"
_ROOT = Path(__file__).parents[2]
_WORK = """
import os, signal, sys
from pathlib import Path
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from jupyter_rewind.kernels.images.criu import find_criu
from jupyter_rewind.kernels.images.imaging import ProcessImages
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.repository import Repository
from tests.support.imaged import run_in

folder, settings = Path.cwd(), Rewind.load({})
problem = find_criu(settings).problem
if problem:
    sys.exit(problem)
connection = folder / "kernel.json"
manager = KernelManager(connection_file=str(connection))
manager._kernel_spec = KernelSpec(
    argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    display_name="user's", language="python",
    metadata={"kernel_provisioner": {"provisioner_name": "rewind-host"}},
)
manager.start_kernel()
manager.provisioner.let_go()
try:
    run_in(connection, "numbers = iter(range(9)); open('mine', 'w').close()")
    with Repository.open(folder / "store", key_folder=folder / "keys", create=True) as store:
        images = ProcessImages(store, settings, folder)
        (kernel,) = images.kernels()
        image = images.create(kernel)
        assert run_in(connection, "print(next(numbers))") == "0\\n"
        images.restore(kernel, image)
        assert run_in(connection, "print(next(numbers))") == "0\\n"
        second = Path(images.restore_beside(image).connection)
        assert run_in(second, "print(next(numbers))") == "0\\n"
        slept = images.create(kernel, stop=True)
        images.restore(kernel, slept)
        assert run_in(connection, "print(next(numbers))") == "1\\n"
    assert (folder / "mine").stat().st_uid == os.getuid() != 0
finally:
    for each in images.kernels():
        os.kill(each.process.pid, signal.SIGKILL)
print("all of it")
"""


def _python() -> str:
    """A Python as this one that any user may run."""
    probe = "import sys; print(sys.version_info[:2])"
    for candidate in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        if candidate:
            # Through a shell, as the kernel's keeper is started: it tells whether that may be.
            command = [*_as_nobody(), "sh", "-c", '"$0" -c "$1"', candidate, probe]
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
            if done.stdout.strip() == str(sys.version_info[:2]):
                return candidate
    pytest.skip("no Python of this version here that other users may run")


def _as_nobody() -> list[str]:
    if os.geteuid() != 0:
        return []
    tool = shutil.which("setpriv")
    if tool is None:
        pytest.skip("setpriv, which takes rights away, is missing")
    return [tool, f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]


def test_a_user_without_rights_makes_images_and_brings_them_back() -> None:
    """Into the kernel, beside it, out of its sleep; what the kernel writes is the user's."""
    criu, python = require_criu(), _python()
    with anybodys_folder() as folder:
        if os.geteuid() == 0:
            os.chown(folder, int(_NOBODY), int(_NOBODY))
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *(p for p in sys.path if "site-" in p)]),
            "JUPYTER_REWIND_KERNELS_IMAGES": "true", "JUPYTER_REWIND_KERNELS_CRIU": criu.path,
            "JUPYTER_REWIND_STORE_PATH": str(folder / "store"),
            "JUPYTER_REWIND_STORE_KEY_FOLDER": str(folder / "keys"),
        }  # fmt: skip
        done = subprocess.run(
            [*_as_nobody(), python, "-c", _WORK], cwd=folder, env=environment,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    if "namespaces to users" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.stdout.strip() == "all of it", done.stderr
