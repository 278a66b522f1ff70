"""A page that is open while its kernel goes back: same server, same connection, same kernel."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.support.kernels import PATIENCE, Home
from tests.support.servers import TOKEN, Server

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="templates are Linux's"),
]
NOTEBOOK = "analysis.ipynb"


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    environment = {
        **home.environment,
        "JUPYTER_REWIND_KERNELS_HOST": "true",
        "JUPYTER_REWIND_KERNELS_TEMPLATES": "100",
    }
    found = Server(home.notebook.parent, environment)
    found.wait()
    yield found
    found.stop()


class Page:
    """What a front end does with a kernel."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection

    async def run(self, source: str) -> str:
        """What the cell prints, results included, or its error."""
        request = uuid.uuid4().hex
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        message = {
            "header": {
                "msg_id": request,
                "msg_type": "execute_request",
                "session": "page",
                "username": "",
                "version": "5.3",
            },
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
        await self._connection.write_message(json.dumps(message))
        said = []
        while True:
            told = await self.hear()
            if told["parent_header"].get("msg_id") != request:
                continue
            content = told["content"]
            said += [content.get("text", ""), content.get("evalue", "")]
            said.append(content.get("data", {}).get("text/plain", ""))
            if content.get("execution_state") == "idle":
                return "".join(said)

    async def hear(self) -> dict[str, Any]:
        said = await asyncio.wait_for(self._connection.read_message(), PATIENCE)
        assert said is not None, "the connection was closed"
        return dict(json.loads(said))

    async def wait_for(self, state: str) -> None:
        while (await self.hear())["content"].get("execution_state") != state:
            continue


def test_an_open_page_goes_on_over_the_same_connection(server: Server) -> None:
    """Its first cell after that is answered whole, in the notebook's own session."""
    server.put(NOTEBOOK, "1")
    body = {
        "path": NOTEBOOK,
        "name": NOTEBOOK,
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    session = server.ask("POST", "api/sessions", body)
    kernel = session["kernel"]["id"]
    address = f"ws://127.0.0.1:{server.port}/api/kernels/{kernel}/channels?token={TOKEN}"

    async def go() -> None:
        page = Page(await websocket_connect(address))
        assert await page.run("g = iter(range(9)); next(g)") == "0"
        while "In[1] " not in (said := await page.run("%rewind templates")) or "In[1] has" in said:
            await asyncio.sleep(0.1)  # on a slow machine there is none until the next pause
        for _ in range(2):
            assert await page.run("next(g)") == "1"
            assert "In[1]" in await page.run("%rewind to 1 --whole")
            await page.wait_for("starting")
            await page.wait_for("idle")
        assert await page.run("print('whole'); next(g)") == "whole\n1"

    asyncio.run(asyncio.wait_for(go(), PATIENCE))
    again = server.ask("GET", f"api/sessions/{session['id']}")
    assert again["kernel"]["id"] == kernel
    server.ask("DELETE", f"api/kernels/{kernel}")
