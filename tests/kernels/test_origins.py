"""Whose code it is: what was installed is trusted, wherever it was installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
from jupyter_rewind.kernels.tracking import Tracker

tracker, namespace = Tracker(monitor=False), {"__name__": "rewind_test_main"}
for cell in ("pass", "import helper", "x = 1"):
    tracker.begin(cell, namespace)
    exec(cell, namespace)
    touched = tracker.end()
print(touched.everything, touched.why)
"""


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("lib/python3/site-packages", "False "),
        ("lib/python3/dist-packages", "False "),
        ("project", "True the module helper uses _getframe"),
    ],
)
def test_what_was_installed_for_a_user_or_by_the_system_is_a_library(
    tmp_path: Path, folder: str, told: str
) -> None:
    """A package outside the environment's own folder does not make every cell touch everything; a
    module beside the notebook that looks at frames does."""
    place = tmp_path / folder
    place.mkdir(parents=True)
    (place / "helper.py").write_text("import sys\ndef look(): return sys._getframe(1)\n")
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(place)])
    said = subprocess.run(
        [sys.executable, "-c", ASK], env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.rstrip("\n") == told


SECOND_NAME = """
import sys, types

notebook = sys.modules["__main__"] = types.ModuleType("__main__")
from jupyter_rewind.kernels.tracking import Tracker

tracker, namespace = Tracker(monitor=False), vars(notebook)
frames = "def look():\\n    import sys\\n    return sys._getframe(1)"
for cell in (frames, "import multiprocessing", "x = 1"):
    tracker.begin(cell, namespace)
    exec(cell, namespace)
    touched = tracker.end()
print(sys.modules["__mp_main__"] is notebook, touched.everything, touched.why)
"""


def test_the_notebook_under_the_name_of_multiprocessing_is_no_module_of_the_users() -> None:
    """Importing what uses several processes, as scikit-learn does, makes no later cell count as
    touching everything: the notebook's functions are watched as such."""
    said = subprocess.run(
        [sys.executable, "-c", SECOND_NAME],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.rstrip("\n") == "True False "
