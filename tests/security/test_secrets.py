"""Where credentials and keys must never stand: logs, answers, addresses, lists of processes, files.

One real server and real commands, with real credentials in their environment, against a bucket
that refuses them for a while. All that can be seen from outside is gathered and searched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyter_rewind.settings import hide_secrets
from tests.support import object_servers
from tests.support.fault_proxy import PASS, FaultProxy, fault_proxy
from tests.support.servers import Server

COMMAND = [sys.executable, "-m", "jupyter_rewind.faces.cli.app"]
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIATHISISNOTFORYOU1",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-not-for-you-7MDENG",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEBYaDNotForYouEither",
}


class Everything:
    """All that anybody but the user sees of these processes."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "AWS_"))},
            **SECRETS,
            "HOME": str(folder),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_REWIND_REPLICA_INTERVAL_SECONDS": "1",
        }
        self.url = url
        self.told: list[str] = []
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()

    def run(self, *words: str) -> None:
        """What the command tells is kept."""
        ended = subprocess.run(
            [*COMMAND, *words], env=self.environment, cwd=self.folder, check=False,
            capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        self.told += [ended.stdout, ended.stderr]

    def end(self) -> None:
        self._stop.set()
        self._watch.join()

    def _look(self) -> None:
        """The words of every process, as `ps` shows them to every user."""
        while not self._stop.wait(0.25):
            for name in os.listdir("/proc"):
                try:
                    words = Path("/proc", name, "cmdline").read_bytes() if name.isdigit() else b""
                except OSError:
                    continue
                if b"jupyter" in words:
                    self.told.append(words.replace(b"\0", b" ").decode(errors="replace"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to list processes")
def test_no_secret_is_seen_from_outside(tmp_path: Path, moto: object_servers.Server) -> None:
    """Commands and a server, while the bucket refuses and while it takes; their output, logs,
    answers, events, words in the list of processes, files, and what lies in the bucket."""
    with fault_proxy(moto.endpoint) as proxy:
        url = f"s3://rewind/secrets-{os.getpid()}?endpoint={proxy.endpoint}&region=us-east-1"
        all_of_it = Everything(tmp_path, url)
        try:
            _use_it(all_of_it, proxy, tmp_path)
        finally:
            all_of_it.end()
    keys = [path.read_bytes() for path in (tmp_path / "config" / "rewind-keys").iterdir()]
    assert len(keys) == 1
    secrets = [*SECRETS.values(), keys[0].hex()]
    text = "\n".join(all_of_it.told)
    assert "refuses" in text and "jupyter_server" in text  # it was looked at
    for secret in secrets:
        assert secret not in text
    holders = {path for path in tmp_path.rglob("*") if path.is_file()}
    holders -= {tmp_path / "paper.txt", *(tmp_path / "config" / "rewind-keys").iterdir()}
    for path in holders:
        data = path.read_bytes()
        assert keys[0] not in data, path
        assert not any(secret.encode() in data for secret in secrets), path


def _use_it(all_of_it: Everything, proxy: FaultProxy, folder: Path) -> None:
    (folder / "root").mkdir()
    all_of_it.run("replica", "add", all_of_it.url)
    server = Server(folder / "root", all_of_it.environment)
    try:
        server.wait()
        proxy.rule = lambda method, path: "403"
        server.put("a.ipynb", "x = 1")
        server.checkpoint("a.ipynb")
        all_of_it.run("replica", "push", "--debug")
        _until(server, "failing")
        for noun in ("health", "stats"):
            all_of_it.told.append(json.dumps(server.ask("GET", f"rewind/api/v1/{noun}")))
        all_of_it.run("doctor", "--json")
        proxy.rule = lambda method, path: PASS
        _until(server, "current")
        all_of_it.run("key", "export", "paper.txt")
        all_of_it.run("replica", "add", "s3://AKIA:nobody@bucket/prefix")
    finally:
        server.stop()
    all_of_it.told.append(server.log.read_text())


def _until(server: Server, state: str) -> None:
    for _ in range(1200):
        rows = server.ask("GET", "rewind/api/v1/health")["replicas"]
        if rows and rows[0]["state"] == state:
            return
        threading.Event().wait(0.1)
    raise AssertionError(rows)


def test_what_is_shown_hides_what_the_environment_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of variables that say by their name that they are secret, queries (a signed address
    opens a door) and logins; paths and short words stay, for they help."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdef123456")
    monkeypatch.setenv("AZURE_STORAGE_SAS_KEY", "sig-of-mine")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token")
    text = (
        "got abcdef123456 from https://me:pw@host/x?sig=sig-of-mine&a=b (see /var/run/token),"
        " sig-of-mine"
    )
    assert hide_secrets(text) == "got *** from https://***@host/x (see /var/run/token), ***"


def test_a_password_with_a_slash_is_hidden_too() -> None:
    """Half of the keys that providers draw hold one; a port is none."""
    text = "s3://AKIA:abc/d+e/f@bucket/p and http://127.0.0.1:8333/user@example.org"
    assert hide_secrets(text) == "s3://***@bucket/p and http://127.0.0.1:8333/user@example.org"


def test_the_details_of_a_fault_hide_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that a command leaves after a fault of ours can be sent to us."""
    from jupyter_rewind.faces.cli.crash import report

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdef123456")
    monkeypatch.setattr(sys, "argv", ["rewind", "replica", "add", "s3://me:hunter2@bucket/p"])
    try:
        raise ValueError("signed with abcdef123456")
    except ValueError as error:
        _, shown = report(error, shown=True)
    [path] = (tmp_path / "rewind-faults").iterdir()
    assert "signed with ***" in path.read_text() and "signed with ***" in shown
    for text in (path.read_text(), shown):
        assert "abcdef" not in text and "hunter2" not in text
    assert path.stat().st_mode & 0o077 == 0
