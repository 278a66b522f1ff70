"""A given disaster laid out in a home folder, and the command run there as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


def lay_out(case: Path, home: Path) -> Path:
    """Where the lost notebook was; round it lies what was left."""
    info = json.loads((case / "case.json").read_text())
    work, runtime = home / "work", home / ".local/share/jupyter/runtime"
    checkpoints, profile = work / ".ipynb_checkpoints", home / ".ipython/profile_default"
    for each in (checkpoints, profile, runtime):
        each.mkdir(parents=True)
    notebook = work / str(info["name"])
    stale = checkpoints / f"{notebook.stem}-checkpoint.ipynb"
    shutil.copy(case / "stale.ipynb", stale)
    os.utime(stale, (info["stale_mtime"],) * 2)
    shutil.copy(case / "history.sqlite", profile)
    for kernel in info["runtime"]:
        path, content = runtime / kernel["name"], dict(kernel["content"])
        if "jupyter_session" in content:
            content["jupyter_session"] = str(work / Path(content["jupyter_session"]).name)
        path.write_text(json.dumps(content))
        os.utime(path, (kernel["mtime"],) * 2)
    return notebook


@dataclass(frozen=True, slots=True)
class Process:
    """What `jupyter rewind recover` took, and where its notebook is."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int
    output: Path

    @property
    def words(self) -> str:
        return f"{self.seconds:.2f} s, {self.cpu_seconds:.2f} s of them on a processor"


def recover_in(notebook: Path, home: Path) -> Process:
    """The whole command, in a process of its own."""
    output = home / "out.ipynb"
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("JUPYTER", "IPYTHON", "XDG_"))
    }
    environment |= {
        "HOME": str(home),
        "IPYTHONDIR": str(home / ".ipython"),
        "JUPYTER_RUNTIME_DIR": str(home / ".local/share/jupyter/runtime"),
    }
    command = [sys.executable, "-m", "jupyter_rewind.faces.cli.app", "recover", str(notebook)]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--output", str(output)],
        env=environment,
        cwd=notebook.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"recover failed: {told.decode(errors='replace')[-500:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Process(seconds, cpu, usage.ru_maxrss * 1024, output)
