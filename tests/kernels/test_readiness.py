"""What the first cell of a kernel would wait for is made ready beside its start."""

from __future__ import annotations

import subprocess
import sys

SOURCE = """
import sys
from jupyter_rewind.kernels.readiness import make_ready
assert "jupyter_rewind.kernels.capture" not in sys.modules
make_ready().join()
before = set(sys.modules)
from jupyter_rewind.kernels.reducers.registry import registry
from jupyter_rewind.kernels.timeline import Timeline
from jupyter_rewind.store.keep import KernelStore
print(sorted(name for name in set(sys.modules) - before if name.startswith("jupyter_rewind")))
found = registry.find_entry_points()
print(found is registry.find_entry_points())
"""


def test_the_first_cell_imports_nothing_more() -> None:
    """Once a kernel has started, nothing that keeps its states is still to be imported."""
    said = subprocess.check_output([sys.executable, "-c", SOURCE], text=True)
    assert said.splitlines() == ["[]", "True"]
