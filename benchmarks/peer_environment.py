"""An environment of its own for Kishu, with the very libraries that are installed here.

Lies under `.venv-kernels` of this clone, or under $BENCHMARK_ENVIRONMENTS; made once, by pip. It
may be deleted at any time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

KISHU = "0.3.4"
ROOT = Path(__file__).parent.parent
LIBRARIES = (
    "ipykernel", "ipython", "numpy", "pandas", "scikit-learn", "scipy", "matplotlib", "networkx",
    "pillow", "polars", "pyarrow", "sympy", "dill", "cloudpickle", "xxhash",
)  # fmt: skip


def kishu_python() -> Path | None:
    """The interpreter of that environment; None where it cannot be made, which is said."""
    folder = environments() / f"kishu-{KISHU}-python{sys.version_info[0]}.{sys.version_info[1]}"
    python = folder / "bin" / "python"
    ready = folder / "is-complete"
    if ready.exists():
        return python
    try:
        venv.create(folder, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "--quiet", f"kishu=={KISHU}", *pins()]
        subprocess.run(command, check=True, timeout=1200)
        subprocess.run([python, "-c", "import kishu.jupyterint"], check=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"Kishu {KISHU} could not be installed, its column is left out: {error}\n")
        return None
    ready.touch()
    return python


def environments() -> Path:
    """Where environments of peers are made."""
    chosen = os.environ.get("BENCHMARK_ENVIRONMENTS")
    return Path(chosen) if chosen else ROOT / ".venv-kernels"


def pins() -> list[str]:
    """The libraries that the benchmarks need, each as it is installed here."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return found
