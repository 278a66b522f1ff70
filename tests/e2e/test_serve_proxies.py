"""The pages about HTTPS and JuSnap say what works: their own words are what is run here."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_rewind.settings import environment_name, setting_traits, trait_name
from jupyter_rewind.settings.jusnap import OPTIONS, read_serve_file
from tests.support.certificates import write_certificate
from tests.support.kernels import PATIENCE, Home
from tests.support.ports import free_port
from tests.support.servers import TOKEN, Server

GUIDE = Path(__file__).parents[2] / "docs" / "guide"


def program(name: str) -> str | None:
    """The proxy's program; another place than the usual ones stands in the environment."""
    return os.environ.get(f"{name.upper()}_PROGRAM") or shutil.which(
        name, path=f"{os.environ.get('PATH', '')}:/usr/sbin"
    )


def written(language: str) -> str:
    """The configuration in the guide."""
    found = re.search(rf"```{language}\n(.*?)```", (GUIDE / "serve.md").read_text(), re.S)
    assert found is not None
    return found[1]


def nginx(folder: Path, text: str) -> list[str]:
    config = folder / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/errors;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}}}\n"
    )
    return ["-p", str(folder), "-e", str(folder / "errors"), "-c", str(config)]


def caddy(folder: Path, text: str) -> list[str]:
    config = folder / "Caddyfile"
    config.write_text("{\nadmin off\nauto_https disable_redirects\n}\n" + text)
    return ["run", "--config", str(config), "--adapter", "caddyfile"]


async def shake_hands(address: str, certificate: Path) -> None:
    """A web socket to a kernel is opened and gives an answer of the kernel's."""
    url = f"{address.replace('https:', 'wss:')}?token={TOKEN}"
    request = HTTPRequest(url, ca_certs=str(certificate), request_timeout=PATIENCE)
    connection = await websocket_connect(request)
    try:
        header = {
            "msg_id": "1", "msg_type": "kernel_info_request", "session": "s", "username": "",
            "date": "2026-01-01T00:00:00Z", "version": "5.3",
        }  # fmt: skip
        question = {
            "header": header, "parent_header": {}, "metadata": {}, "content": {}, "buffers": [],
            "channel": "shell",
        }  # fmt: skip
        await connection.write_message(json.dumps(question))
        while True:
            said = await asyncio.wait_for(connection.read_message(), PATIENCE)
            assert said is not None
            if b"kernel_info_reply" in (said if isinstance(said, bytes) else said.encode()):
                return
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "language", "configure"),
    [
        pytest.param(
            each.__name__, language, each,
            marks=pytest.mark.skipif(
                program(each.__name__) is None,
                reason=f"{each.__name__} is not installed (or named in {each.__name__.upper()}"
                "_PROGRAM)",
            ),
        )
        for each, language in ((nginx, "nginx"), (caddy, "caddyfile"))
    ],
)  # fmt: skip
def test_jupyter_is_whole_behind_a_proxy_with_a_certificate_of_ones_own(
    tmp_path: Path, name: str, language: str, configure: Callable[[Path, str], list[str]]
) -> None:
    """Pages, our interface, and kernels through a web socket, by the guide's own configuration."""
    home = Home(tmp_path)
    certificate, key = write_certificate(tmp_path)
    server = Server(home.notebook.parent, home.environment)
    port = free_port()
    text = written(language)
    words = {
        "jupyter.example.org": "localhost", "/etc/ssl/jupyter.crt": str(certificate),
        "/etc/ssl/jupyter.key": str(key), "8888": str(server.port), "443": str(port),
    }  # fmt: skip
    assert all(word in text for word in words)
    # At once: a port may have another one's number in it.
    text = re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)
    path = program(name)
    assert path is not None
    proxy = subprocess.Popen(
        [path, *configure(tmp_path, text)], env={**home.environment, "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL, stderr=(tmp_path / "proxy.log").open("w"),
    )  # fmt: skip
    address = f"https://localhost:{port}"
    try:
        server.wait()
        context = ssl.create_default_context(cafile=certificate)
        request = urllib.request.Request(f"{address}/rewind/api/v1/health")
        request.add_header("Authorization", f"token {TOKEN}")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                    assert b'"state"' in answer.read()
                break
            except OSError:
                assert time.monotonic() < deadline, (tmp_path / "proxy.log").read_text()
                time.sleep(0.1)
        kernel = server.ask("POST", "api/kernels", {})["id"]
        asyncio.run(shake_hands(f"{address}/api/kernels/{kernel}/channels", certificate))
    finally:
        proxy.terminate()
        proxy.wait(PATIENCE)
        server.stop()


def test_every_option_of_jusnap_has_a_row_and_a_setting_that_exists() -> None:
    """The page names each with what it is called here."""
    page = (GUIDE / "jusnap.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `([a-z_.]+)` \|", page, re.M))
    assert rows == OPTIONS
    for setting in OPTIONS.values():
        assert trait_name(setting) in setting_traits()
        assert environment_name(setting).startswith("JUPYTER_REWIND_")


def test_jusnaps_file_becomes_settings(tmp_path: Path) -> None:
    """Each option of its example and of its help, in its own forms."""
    file = tmp_path / "conf.yml"
    file.write_text(
        """
graceful: {shutdown_timeout: 1m30s}
jusnap:
  log_level: warn
  criu: {ghost_limit: 2}
  http: {port: "8000", read_timeout: 500ms, write_timeout: 5s}
  ipython:
    python_interpreter: python3.9
    args: ["--ipython-dir=a folder", "--ip", "0.0.0.0"]
    cooldown: 5s
    history_enabled: false
    history_file: ~/.ipython/profile_default/history.sqlite
    runtime_path: ~/.local/share/jupyter/runtime/
  os: {uid: 1000, gid: -1}
  jupyter: {port: 8888, args: ["--config=jupyter.py"]}
"""
    )
    settings, jupyter = read_serve_file(file)
    assert settings == {
        "serve.shutdown_seconds": "90",
        "serve.log_level": "warning",
        "kernels.ghost_limit_mb": "2",
        "jusnap.http_port": "8000",
        "jusnap.read_timeout_seconds": "1",
        "jusnap.write_timeout_seconds": "5",
        "serve.python": "python3.9",
        "serve.kernel_arguments": "'--ipython-dir=a folder' --ip 0.0.0.0",
        "kernels.image_cooldown_seconds": "5",
        "kernels.image_history": "false",
        "serve.history_file": "~/.ipython/profile_default/history.sqlite",
        "serve.runtime_path": "~/.local/share/jupyter/runtime/",
        "serve.port": "8888",
        "serve.uid": "1000",
        "serve.gid": "-1",
        "serve.jupyter_arguments": "--config=jupyter.py",
        "jusnap.api": "true",
    }
    assert jupyter == {}
