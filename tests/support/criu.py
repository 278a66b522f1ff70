"""CRIU for tests: the one that scripts/fetch-criu fetched, else the system's own."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from jupyter_rewind.kernels.images.criu import Criu, find_criu
from jupyter_rewind.settings import Rewind

_FETCHED = Path(__file__).parents[2] / ".criu" / "usr" / "sbin" / "criu"
_VARIABLE = "JUPYTER_REWIND_KERNELS_CRIU"


@functools.cache
def usable_criu() -> Criu:
    """The program with which images can be made here, or what stands in the way."""
    chosen = os.environ.get(_VARIABLE) or (str(_FETCHED) if _FETCHED.exists() else "")
    settings = Rewind()
    settings.kernels_criu = chosen
    return find_criu(settings)


def require_criu() -> Criu:
    """Skips the test, saying why, where no images can be made."""
    found = usable_criu()
    if found.problem:
        pytest.skip(f"no process images here: {found.problem}. scripts/fetch-criu fetches CRIU")
    return found
