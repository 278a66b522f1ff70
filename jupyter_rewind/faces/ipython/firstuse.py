"""The store of a kernel that is the first to need one, on a machine that has replicas.

Another process asks them: a child that is forked after the client of an object store was used may
hang, and nothing of that is to be in the memory of a kernel.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

log = logging.getLogger(__name__)
_MOST_SECONDS = 30.0


def meet_replicas(settings: Rewind) -> None:
    """Where there is no store here yet, the replicas' is the one, still empty: what is kept here
    then goes there, and what they hold comes. Never raises; without their key it is another one."""
    config = os.path.join(os.path.expanduser(settings.store_path), "config")
    if not settings.replica_url.strip() or os.path.exists(config):
        return
    facts = {
        "replica_url": settings.replica_url, "store_path": settings.store_path,
        "store_key_folder": settings.store_key_folder, "store_encrypt": settings.store_encrypt,
    }  # fmt: skip
    # Without -P, files of the folder we are in would be imported.
    command = [sys.executable, "-P", "-m", "jupyter_rewind.beginning"]
    try:
        done = subprocess.run(
            command, input=json.dumps(facts).encode(), capture_output=True,
            timeout=_MOST_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired) as error:
        # A Python within another program has no command: TypeError.
        log.warning("The replicas were not asked whose store this is: %s", error)
        return
    except KeyboardInterrupt:
        log.warning("The replicas were not asked whose store this is: that was stopped.")
        return
    said = (done.stdout if done.returncode == 0 else done.stderr).decode(errors="replace").strip()
    if said:
        log.warning("%s", said)
