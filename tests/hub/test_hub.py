"""A real JupyterHub, with the configuration that the guide shows, and users who log in to it.

`scripts/hub` makes the environment (JupyterHub and its proxy from their own indexes) and runs this.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support import object_servers
from tests.support.ports import free_port
from tests.support.stores import noise

PLACE = os.environ.get("JUPYTER_REWIND_TEST_HUB", "")
PULL = os.environ.get("JUPYTER_REWIND_TEST_HUB_PULL", "")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not PLACE, reason="needs the environment that scripts/hub makes"),
]
CONFIG = Path(__file__).parents[2] / "docs" / "guide" / "hub" / "jupyterhub_config.py"
DEADLINE_SECONDS = 240
PASSWORD = "correct horse"


class Hub:
    """A hub at work, whose homes, keys and bucket lie below `folder`."""

    def __init__(self, folder: Path, bucket: str, options: str) -> None:
        self.folder = folder
        self.homes, self.keys = folder / "homes", folder / "keys"
        for each in (self.homes, self.keys):
            each.mkdir(exist_ok=True)
        self.port = free_port()
        self.log = folder / "hub.log"
        ports = {"hub": free_port(), "proxy": free_port()}
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTEST"))},
            **object_servers.KEYS,
            "PATH": f"{PLACE}/bin{os.pathsep}{os.environ['PATH']}",
            "REWIND_BUCKET": bucket, "REWIND_OPTIONS": options, "REWIND_KEYS": str(self.keys),
            "HUB_PASSWORD": PASSWORD, "HUB_HOMES": str(self.homes), "REWIND_PULL": PULL,
        }  # fmt: skip
        command = [
            f"{PLACE}/bin/jupyterhub", f"--config={CONFIG}",
            f"--JupyterHub.bind_url=http://127.0.0.1:{self.port}",
            f"--JupyterHub.hub_port={ports['hub']}",
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{ports['proxy']}",
            "--Spawner.http_timeout=120", "--Spawner.start_timeout=120",
            *(["--Spawner.args=--allow-root"] if os.geteuid() == 0 else []),
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.until(lambda: self.answers("hub/api"), "the hub answers")

    def answers(self, path: str) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=10).close()
        except OSError:
            return False
        return True

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE_SECONDS
        while not is_so():
            alive = self.process.poll() is None
            assert alive and time.monotonic() < end, f"{what}: {self.log.read_text()[-6000:]}"
            time.sleep(0.3)

    def end(self) -> None:
        """The hub and all that it started."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)


class User:
    """Somebody in a browser: cookies, a login, a server of one's own."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        page = self.get("hub/login").decode()
        found = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert found is not None, page[:500]
        form = {"username": name, "password": PASSWORD, "_xsrf": found[1]}
        self.opener.open(
            f"http://127.0.0.1:{hub.port}/hub/login?next=/hub/home",
            urllib.parse.urlencode(form).encode(), timeout=60,
        ).close()  # fmt: skip

    def get(self, path: str) -> bytes:
        with self.opener.open(f"http://127.0.0.1:{self.hub.port}/{path}", timeout=60) as answer:
            return bytes(answer.read())

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What the user's page asks of hub or server."""
        where = "/user/" if path.startswith("user/") else "/hub/"
        tokens = {each.path: each.value for each in self.jar if each.name == "_xsrf"}
        best = [value for place, value in tokens.items() if place.startswith(where)]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.hub.port}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "X-XSRFToken": urllib.parse.unquote((best or [""])[0] or ""),
                "Referer": f"http://127.0.0.1:{self.hub.port}/hub/home",
            },
        )
        with self.opener.open(request, timeout=120) as answer:
            raw = answer.read()
        return json.loads(raw) if raw else None

    def start(self) -> None:
        """My server runs, and I am in."""
        self.ask("POST", f"hub/api/users/{self.name}/server")
        self.hub.until(self.is_ready, f"the server of {self.name}")
        self.get(f"user/{self.name}/lab")  # logs in there, by way of the hub

    def is_ready(self) -> bool:
        return bool(
            self.ask("GET", f"hub/api/users/{self.name}")["servers"].get("", {}).get("ready")
        )

    def stop(self) -> None:
        """As the culler does, or the user's own button."""
        self.ask("DELETE", f"hub/api/users/{self.name}/server")
        self.hub.until(
            lambda: not self.ask("GET", f"hub/api/users/{self.name}")["servers"],
            f"the end of the server of {self.name}",
        )

    def save(self, name: str, source: str) -> None:
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="c0")])
        body = {"type": "notebook", "format": "json", "content": nb}
        self.ask("PUT", f"user/{self.name}/api/contents/{name}", body)
        self.ask("POST", f"user/{self.name}/api/contents/{name}/checkpoints")

    def rewind(self, method: str, noun: str, body: object = None, **query: str) -> Any:
        words = "?" + urllib.parse.urlencode(query) if query else ""
        return self.ask(method, f"user/{self.name}/rewind/api/v1/{noun}{words}", body)

    def sources(self, name: str) -> list[str]:
        """What each checkpoint of the notebook holds, oldest first."""
        found = self.ask("GET", f"user/{self.name}/api/contents/{name}/checkpoints")
        cells = [
            self.rewind("GET", "content", path=name, ref=each["id"])["content"]["cells"][0]
            for each in found
        ]
        return ["".join(cell["source"]) for cell in cells]


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[tuple[str, str]]:
    (tmp_path / "moto").mkdir()
    with object_servers.moto(tmp_path / "moto") as server:
        address, _, options = server.url("hub").partition("?")
        yield address, f"?{options}"


@pytest.fixture
def hub(tmp_path: Path, bucket: tuple[str, str]) -> Iterator[Hub]:
    running = Hub(tmp_path, *bucket)
    yield running
    running.end()


def test_work_outlives_the_pod_and_the_home(hub: Hub) -> None:
    """Log in, work, log out; the pod and the home are gone; log in again: the notebook is brought
    back with its whole history, each user's own; and it goes on from there."""
    ada, ben = User(hub, "ada"), User(hub, "ben")
    for user in (ada, ben):
        user.start()
        for number in range(3):
            user.save("work.ipynb", f"{user.name} = {number}")
        health = user.rewind("GET", "health")
        assert health["quota"] is None or health["quota"]["limit_bytes"] == 20_000_000_000
        assert [row["url"].partition("?")[0].rsplit("/", 1)[1] for row in health["replicas"]] == [
            user.name
        ]
    for user in (ada, ben):
        user.stop()
        shutil.rmtree(hub.homes / user.name)
    for name in ("ada", "ben"):
        again = User(hub, name)
        again.start()
        home = str(hub.homes / name)
        assert list((hub.homes / name).glob("*.ipynb")) == []
        deleted = again.rewind("GET", "deleted")
        assert "work.ipynb" in json.dumps(deleted), deleted
        again.rewind("POST", "undelete", {"path": "work.ipynb"})
        sources = again.sources("work.ipynb")
        assert [each for each in sources if each.startswith(name)][:3] == [
            f"{name} = {number}" for number in range(3)
        ], (home, sources)
        again.save("work.ipynb", f"{name} = 'on'")
        again.stop()
        shutil.rmtree(hub.homes / name)
        third = User(hub, name)
        third.start()
        third.rewind("POST", "undelete", {"path": "work.ipynb"})
        assert f"{name} = 'on'" in third.sources("work.ipynb")
        third.stop()
    # Each user has a key of his own.
    keys = list(hub.keys.rglob("*.key"))
    assert len(keys) == 2 and len({path.read_bytes() for path in keys}) == 2


def test_large_contents_are_there_for_who_reads_them_at_once(hub: Hub) -> None:
    """On another node each large state is read at once, also while the server still brings them;
    then it has all of them."""
    ada = User(hub, "ada")
    ada.start()
    states = [noise(f"state {number}", 1_000_000).hex() for number in range(3)]
    for each in states:
        ada.save("large.ipynb", each)
    ada.stop()
    shutil.rmtree(hub.homes / "ada")
    again = User(hub, "ada")
    again.start()
    assert ("are in a replica alone" in hub.log.read_text()) == (PULL == "--lazy")
    again.rewind("POST", "undelete", {"path": "large.ipynb"})
    assert again.sources("large.ipynb")[:3] == states
    [store] = {path.parent for path in (hub.homes / "ada").rglob("segments")}
    hub.until(lambda: not (store / "partial").exists(), "all contents")
    again.stop()


def test_without_the_key_the_server_does_not_begin_another_store(hub: Hub) -> None:
    """The key folder is lost, the bucket is there: the server is not started, the hub's log says
    which file is missing, and with it all is there again."""
    ada = User(hub, "ada")
    ada.start()
    ada.save("work.ipynb", "x = 1")
    ada.stop()
    shutil.rmtree(hub.homes / "ada")
    (hub.keys / "ada").rename(hub.folder / "aside")
    again = User(hub, "ada")
    try:
        again.ask("POST", "hub/api/users/ada/server")
    except urllib.error.HTTPError as error:
        error.close()
    hub.until(lambda: "is not on this machine" in hub.log.read_text(), "the refusal")
    (hub.folder / "aside").rename(hub.keys / "ada")
    hub.until(
        lambda: not again.ask("GET", "hub/api/users/ada")["servers"], "the end of the attempt"
    )
    again.start()
    again.rewind("POST", "undelete", {"path": "work.ipynb"})
    assert "x = 1" in again.sources("work.ipynb")
