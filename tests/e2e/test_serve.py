"""`jupyter rewind serve`: Jupyter and all of Rewind from one command and one file of settings."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.support.certificates import write_certificate
from tests.support.kernels import PATIENCE, Home, eventually
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="ends by signals that Windows lacks"),
]


class Serve:
    """The command at work."""

    def __init__(self, home: Home, *words: str, python: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [python, "-m", "jupyter_rewind.faces.cli.app", "serve", "--json", *words],
            env=home.environment, cwd=home.notebook.parent, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.told: dict[str, Any] = json.loads(line)["data"]
        address = urllib.parse.urlsplit(self.told["url"])
        self.address = f"{address.scheme}://127.0.0.1:{address.port}{address.path.rstrip('/')}"
        self.token = urllib.parse.parse_qs(address.query)["token"][0]

    def ask(
        self,
        path: str,
        certificate: Path | None = None,
        body: object = None,
        method: str | None = None,
    ) -> Any:
        context = ssl.create_default_context(cafile=certificate) if certificate else None
        request = urllib.request.Request(
            f"{self.address}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=PATIENCE, context=context) as answer:
            return json.loads(answer.read())

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


def said(connection: Path, source: str) -> str:
    """What a cell prints in the kernel with this connection file."""
    found: list[str] = []
    client = BlockingKernelClient()
    client.load_connection_file(str(connection))
    client.start_channels(hb=False)
    try:
        client.wait_for_ready(timeout=PATIENCE)
        client.execute_interactive(
            source, output_hook=lambda m: found.append(m["content"].get("text", ""))
        )
    finally:
        client.stop_channels()
    return "".join(found)


def closes_what_does_not_arrive(running: Serve, certificate: Path) -> bool:
    """Whether a request whose body never comes is ended by the server."""
    address = urllib.parse.urlsplit(running.address)
    context = ssl.create_default_context(cafile=certificate)
    with (
        socket.create_connection((address.hostname, address.port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"POST /x/api/snap/new HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        return secure.recv(1) == b""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield Home(tmp_path)


def test_one_command_and_one_file_start_everything_over_https(home: Home) -> None:
    """A certificate of one's own, JuSnap's file as it is, our settings and Jupyter's beside it; the
    kernel is the one that the file describes; Ctrl-C ends it all, with status 0."""
    certificate, key = write_certificate(home.folder)
    history = home.folder / "lines.sqlite"
    log, runtime = home.folder / "jupyter.log", home.folder / "elsewhere"
    config = home.folder / "conf.yml"
    config.write_text(
        f"""
graceful: {{shutdown_timeout: 1m30s}}
jusnap:
  log_level: debug
  criu: {{ghost_limit: 10}}
  ipython:
    python_interpreter: {sys.executable}
    args: ["--InteractiveShell.autocall=2", "--InteractiveShellApp.exec_lines=served = 'yes'"]
    history_enabled: true
    history_file: {history}
    runtime_path: {runtime}
    cooldown: 2500ms
  jupyter: {{port: {free_port()}, args: ["--ServerApp.base_url=/x/"]}}
  http: {{read_timeout: 1500ms, write_timeout: 5s}}
  os: {{uid: {os.getuid()}, gid: {os.getgid()}}}
rewind: {{kernels.images: false, serve.app: server, serve.log_file: {log}}}
jupyter:
  ServerApp: {{certfile: {certificate}, keyfile: {key}, allow_origin: "https://example.org"}}
"""
    )
    running = Serve(home, "--config", str(config))
    try:
        assert running.address.startswith("https://")
        assert running.told == {**running.told, "images": False, "log": str(log)}
        assert running.ask("api/snap", certificate) == {"snapshots": []}
        with pytest.raises(OSError, match="(?i)certificate"):
            running.ask("api/snap")
        if sys.platform == "linux":  # what stands in the file may be secret, and anybody runs `ps`
            assert b"example.org" not in Path(f"/proc/{running.told['pid']}/cmdline").read_bytes()
        specs = running.ask("api/kernelspecs", certificate)["kernelspecs"]
        argv = specs["python3"]["spec"]["argv"]
        assert argv[0] == sys.executable
        assert argv[-3:] == [
            "--InteractiveShell.autocall=2",
            "--InteractiveShellApp.exec_lines=served = 'yes'",
            f"--HistoryManager.hist_file={history}",
        ]
        assert running.address.endswith("/x")
        kernel = running.ask("api/kernels", certificate, {})["id"]
        assert said(runtime / f"kernel-{kernel}.json", "print(served)") == "yes\n"
        assert history.exists()
        assert closes_what_does_not_arrive(running, certificate)
        health = running.ask("rewind/api/v1/health", certificate)
        assert health["state"] in ("ok", "limited") and health["keeps"]
    finally:
        status, out, err = running.end(signal.SIGINT)
    assert (status, json.loads(out)["data"]["event"]) == (0, "stopped"), err
    text = log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert "[D " in text, "debug"
    assert list(runtime.glob("rewind-serve-*")) == []


def test_jupyter_that_does_not_end_in_time_is_ended(home: Home) -> None:
    """The words say what is safe, and the status that it did not go as it should."""
    config = home.folder / "jupyter_server_config.py"
    config.write_text(
        "import atexit, time\natexit.register(time.sleep, 600)\nc.ServerApp.open_browser = False\n"
    )
    running = Serve(
        home, "--config", str(config), "--port", str(free_port()),
        *("--set", "serve.app=server", "--set", "serve.shutdown_seconds=3"),
        *("--set", "kernels.images=false"),
    )  # fmt: skip
    status, _, err = running.end()
    error = json.loads(err.splitlines()[-1])["error"]
    assert (status, error["code"]) == (6, "unavailable")
    assert "within 3 seconds" in error["message"] and "take" in error["hint"]


def test_jupyter_ends_with_the_command_that_is_killed(home: Home) -> None:
    """No server is left behind that nobody knows of; its kernel does not inherit what tells it."""
    running = Serve(
        home, "--port", str(free_port()), "--set", "serve.app=server",
        *("--set", "kernels.images=false", "--set", "kernels.host=false"),
    )  # fmt: skip
    kernel = running.ask("api/kernels", None, {})["id"]
    connection = home.folder / "runtime" / f"kernel-{kernel}.json"
    assert said(connection, "import os; print('REWIND_STARTER' in os.environ)") == "False\n"
    running.process.kill()
    running.process.communicate(timeout=PATIENCE)
    server = running.told["pid"]
    eventually(lambda: _has_ended(server), "it has ended")


def _has_ended(process: int) -> bool:
    """Also where nobody is there to take leave of it."""
    try:
        os.kill(process, 0)
        return " Z " in Path(f"/proc/{process}/stat").read_text()
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jusnap: {ipython: {colour: red}}", "jusnap.ipython.colour is no option"),
        ("jusnap: {ipython: {cooldown: soon}}", "no duration"),
        ("rewind: {serve.prt: 1}", "serve.port"),
        ("rewind: [", "conf.yml cannot be used"),
        ("jupiter: {}", "no section jupiter"),
        ("rewind: {serve.python: no-such-python}", "no program no-such-python"),
    ],
)
def test_a_mistake_in_the_file_starts_nothing(home: Home, text: str, words: str) -> None:
    """It is named, and the status is 2."""
    config = home.folder / "conf.yml"
    config.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_rewind.faces.cli.app", "serve", "--config", str(config)],
        env=home.environment, cwd=home.notebook.parent, capture_output=True, text=True,
        timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 2 and words in done.stderr, done.stderr
