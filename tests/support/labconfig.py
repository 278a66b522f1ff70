"""How a JupyterLab is set up for tests: silent, with time for all that it keeps, and with kernels
at ports that nobody else takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_server.auth import passwd

_ROOT = Path(__file__).parents[2]
#: A port that Jupyter chooses may be somebody's outgoing connection when the kernel binds it: the
#: kernel ends at once, and JupyterLab says so over all else.
_PORTS = f"""
import sys

sys.path.append({str(_ROOT)!r})
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from tests.support.ports import set_ports

async def pre_launch(self, _launch=LocalProvisioner.pre_launch, **kwargs):
    if self.parent and not self.parent.shell_port:
        set_ports(self.parent)
    return await _launch(self, **kwargs)

LocalProvisioner.pre_launch = pre_launch
"""


def write_config(
    home: Path, *, autosave: bool, autosave_seconds: int | None, password: str, more: str
) -> None:
    """The settings of one server, its pages and its kernels; `more` goes to the server's."""
    config = home / "config"
    chosen: dict[str, Any] = {
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,  # an old JupyterLab would tell of a newer one
        }
    }
    documents = "@jupyterlab/docmanager-extension:plugin"
    if not autosave:
        chosen[documents] = {"autosave": False}
    elif autosave_seconds is not None:
        chosen[documents] = {"autosaveInterval": autosave_seconds}
    overrides = config / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True)
    overrides.write_text(json.dumps(chosen))
    # On a machine that is busy, a state would be passed over for want of time.
    kernels = {"kernels_budget_floor_ms": 60_000}
    (config / "jupyter_rewind_config.json").write_text(json.dumps({"Rewind": kernels}))
    if password:
        more += f"\nc.PasswordIdentityProvider.hashed_password = {passwd(password)!r}\n"
    (config / "jupyter_server_config.py").write_text(_PORTS + more)
