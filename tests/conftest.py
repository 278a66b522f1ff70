"""No test touches the store, the keys or the settings of whoever runs it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from jupyter_rewind.store import layout

# How long an example takes says how loaded the machine is. The examples are the same each time, so
# that a change is judged by what it does; new ones are looked for with --hypothesis-profile=new.
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("patient", settings.get_profile("new"), derandomize=True)
settings.load_profile("patient")
# For a quick look on many machines: pytest --hypothesis-profile=short
settings.register_profile("short", max_examples=10)

# A shell that starts its commands in the background has them ignore interrupts, and so would each
# server and kernel of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


ENCRYPTED = bool(os.environ.get("REWIND_ENCRYPTED_STORES"))
"""Every store that a test makes is encrypted; as it is a matter of settings, tests are the same."""

ON_ONE_WORKER = ("tests/e2e/test_browser_access.py", "tests/kernels/test_fidelity.py")
"""Files whose tests share what takes minutes to set up."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of these files stay together: from pytest 9.2 on, xdist's own groups do nothing."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in ON_ONE_WORKER else nodeid

    return Together(config, log)


@pytest.fixture(scope="session", autouse=True)
def nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Jupyter's folders and the cache lie in a temporary one, for child processes too."""
    folder = tmp_path_factory.mktemp("nobody")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("JUPYTER", "_JUPYTER"))]:
            patch.delenv(name)
        for kind in ("CONFIG", "DATA", "RUNTIME"):
            patch.setenv(f"JUPYTER_{kind}_DIR", str(folder / kind.lower()))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        if ENCRYPTED:
            patch.setenv("JUPYTER_REWIND_STORE_ENCRYPT", "true")
            patch.setattr(layout, "_create", partial(_create_encrypted, layout._create))
        yield folder


def _create_encrypted(create: Callable[..., None], *args: Any) -> None:
    create(*args[:-1], True)
