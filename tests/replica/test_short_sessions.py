"""A server that ends before it has looked at its replicas for the first time."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from jupyter_rewind.faces.server import replicas as replicas_module
from jupyter_rewind.faces.server.announcer import Announcer
from jupyter_rewind.faces.server.replicas import Replicas
from jupyter_rewind.replication import Replication
from jupyter_rewind.settings import Rewind
from jupyter_rewind.workspace import Workspace
from tests.notebooks.support import make_notebook
from tests.support.servers import Server, make_patient


def settings_of(folder: Path) -> Rewind:
    (folder / "replica").mkdir(exist_ok=True)
    return Rewind(
        store_path=str(folder / "store"),
        store_key_folder=str(folder / "keys"),
        replica_url=(folder / "replica").as_uri(),
    )


def work_for_a_moment(folder: Path) -> None:
    """A save, in a server that is stopped as soon as it has started. On a machine that is busy,
    what is imported then takes longer than a user would wait."""
    replicas_module.STOP_SECONDS = 100.0
    settings = settings_of(folder)
    log = logging.getLogger("test")
    replicas = Replicas(settings, Announcer(None, log), log, lambda: 0.0)
    path = folder / "a.ipynb"
    path.write_bytes(make_notebook("x = 1"))
    with Workspace.open(settings) as workspace:
        workspace.checkpoint(str(path))
        replicas.start()
        assert replicas.stop()


def test_what_was_saved_in_a_short_session_is_pushed_at_its_end(tmp_path: Path) -> None:
    """Log in, save, log out: it is in the replica, however soon the server ends. In a process of
    its own, where what pushing needs has yet to be imported."""
    program = (
        "import sys; from pathlib import Path;"
        " from tests.replica.test_short_sessions import work_for_a_moment as work;"
        " sys.modules.pop('jupyter_rewind.replication'); work(Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, timeout=120,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    settings = settings_of(tmp_path)
    [url] = Replication(settings).urls
    standing = Replication(settings).standing(url)
    assert standing.exists and standing.behind_entries == 0


def test_an_interrupted_server_pushes_at_its_end(tmp_path: Path) -> None:
    """Hubs end a server with an interrupt, which stops no extension: what was saved a moment
    before is in the replica all the same."""
    settings = settings_of(tmp_path)
    (tmp_path / "root").mkdir()
    make_patient(tmp_path / "config")
    environment = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_REWIND_STORE_PATH": settings.store_path,
        "JUPYTER_REWIND_STORE_KEY_FOLDER": settings.store_key_folder,
        "JUPYTER_REWIND_REPLICA_URL": settings.replica_url,
        "JUPYTER_REWIND_REPLICA_INTERVAL_SECONDS": "3600",
    }
    server = Server(tmp_path / "root", environment)
    server.wait()
    server.put("a.ipynb", "x = 1")
    server.checkpoint("a.ipynb")
    server.stop(signal.SIGINT)
    [url] = Replication(settings).urls
    standing = Replication(settings).standing(url)
    assert standing.exists and standing.behind_entries == 0
