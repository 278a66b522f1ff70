"""Idle kernels sleep, and wake when a page asks for them: real servers, real websockets."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_rewind.kernels.images.freezer import is_awake
from tests.support.criu import require_criu
from tests.support.imaged import NOTEBOOK, Imaged
from tests.support.kernels import eventually
from tests.support.servers import TOKEN

pytestmark = pytest.mark.images
_IDLE_SECONDS = 3
_PATIENCE = 40


@pytest.fixture
def imaged(start: Callable[..., Imaged]) -> Imaged:
    return start("python3", f"--Rewind.kernels_hibernate_after={_IDLE_SECONDS}")


async def connect(imaged: Imaged) -> WebSocketClientConnection:
    """What a notebook's page holds."""
    url = (
        f"ws://127.0.0.1:{imaged.server.port}/api/kernels/{imaged.kernel}/channels"
        f"?session_id={uuid.uuid4().hex}"
    )
    request = HTTPRequest(url, headers={"Authorization": f"token {TOKEN}"})
    return await asyncio.wait_for(websocket_connect(request), _PATIENCE)


async def run(page: WebSocketClientConnection, source: str) -> str:
    """What the cell prints, as the page hears it."""
    message = {
        "header": {
            "msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "",
            "session": uuid.uuid4().hex, "version": "5.3", "date": "2026-01-01T00:00:00Z",
        },
        "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
        "content": {"code": source, "silent": False, "store_history": True,
                    "user_expressions": {}, "allow_stdin": False},
    }  # fmt: skip
    await page.write_message(json.dumps(message))
    said, replied, idle = "", False, False
    while not (replied and idle):
        raw = await asyncio.wait_for(page.read_message(), _PATIENCE)
        assert raw is not None, "the connection ended"
        heard: dict[str, Any] = json.loads(raw)
        if heard["parent_header"].get("msg_id") != message["header"]["msg_id"]:  # type: ignore[index]
            continue
        kind, content = heard["header"]["msg_type"], heard["content"]
        said += content.get("text", "") if kind == "stream" else ""
        said += content["evalue"] if kind == "error" else ""
        replied = replied or kind == "execute_reply"
        idle = idle or (kind == "status" and content["execution_state"] == "idle")
    return said


def fall_asleep(imaged: Imaged) -> None:
    eventually(lambda: not is_awake(imaged.place), "it sleeps")
    listed = imaged.command("list", NOTEBOOK)["images"]
    assert listed[0]["reason"] == "idle"


def test_an_idle_kernel_sleeps_and_wakes_when_its_page_asks(imaged: Imaged) -> None:
    """The same page, the same connection, nothing lost; once more, and for a page that connects."""

    async def work() -> None:
        page = await connect(imaged)
        assert await run(page, "numbers = iter(range(9)); print(next(numbers))") == "0\n"
        for number in (1, 2):
            await asyncio.to_thread(fall_asleep, imaged)
            assert await run(page, "print(next(numbers))") == f"{number}\n"
        await asyncio.to_thread(fall_asleep, imaged)
        page.close()
        page = await connect(imaged)
        assert await run(page, "print(next(numbers))") == "3\n"

    asyncio.run(work())
    assert "woke from its image" in imaged.server.log.read_text()


def test_a_kernel_whose_thread_works_is_left_alone(imaged: Imaged) -> None:
    """Though no cell runs and nothing is printed; it sleeps when the work is done."""

    async def work() -> None:
        page = await connect(imaged)
        source = (
            "import threading; n = 0; done = threading.Event()\n"
            "def train():\n    global n\n    while not done.is_set(): n += 1\n"
            "threading.Thread(target=train).start()"
        )
        assert await run(page, source) == ""
        await asyncio.sleep(4 * _IDLE_SECONDS)
        assert imaged.command("list")["images"] == []
        assert await run(page, "done.set(); print(n > 0)") == "True\n"
        await asyncio.to_thread(fall_asleep, imaged)

    asyncio.run(work())


def test_a_cell_that_is_run_while_its_kernel_goes_or_comes_waits_for_it(
    start: Callable[..., Imaged],
) -> None:
    """Put to sleep by the user, the kernel wakes for it; restored, it runs it then. Nothing that
    was asked in between is lost."""
    imaged = start()
    address = f"rewind/api/v1/kernels/{imaged.kernel}/images"

    async def work() -> None:
        page = await connect(imaged)
        source = "import os; filling = os.urandom(100 << 20); numbers = iter(range(9))"
        assert await run(page, source) == ""
        asked = asyncio.create_task(
            asyncio.to_thread(imaged.server.ask, "POST", address, {"stop": True})
        )
        await asyncio.sleep(0.5)
        assert await run(page, "print(next(numbers))") == "0\n"
        made = (await asked)["image"]["id"]
        restored = asyncio.create_task(
            asyncio.to_thread(imaged.server.ask, "POST", f"{address}/{made}/restore", {})
        )
        await asyncio.sleep(0.5)
        assert await run(page, "print(next(numbers))") == "0\n"
        await restored
        await asyncio.to_thread(imaged.server.ask, "POST", address, {"stop": True})
        assert await run(page, "print(next(numbers))") == "1\n"

    asyncio.run(work())


def test_a_page_is_told_where_its_kernel_does_not_wake(
    start: Callable[..., Imaged], tmp_path: Path
) -> None:
    """Below the cell that waits, with the reason; the next one tries again, and both run."""
    criu, broken = tmp_path / "criu", tmp_path / "broken"
    criu.write_text(
        f'#!/bin/sh\n[ "$1" = restore ] && [ -e {broken} ] && exit 1\n'
        f'exec {require_criu().path} "$@"\n'
    )
    criu.chmod(0o755)
    flag = f"--Rewind.kernels_hibernate_after={_IDLE_SECONDS}"
    imaged = start("python3", flag, criu=str(criu))

    async def work() -> None:
        page = await connect(imaged)
        assert await run(page, "numbers = iter(range(9)); print(next(numbers))") == "0\n"
        await asyncio.to_thread(fall_asleep, imaged)
        broken.touch()
        first = asyncio.create_task(run(page, "print(next(numbers))"))
        await asyncio.to_thread(
            eventually, lambda: "did not wake" in imaged.server.log.read_text(), "it says so"
        )
        broken.unlink()
        await asyncio.sleep(_IDLE_SECONDS)
        other = await connect(imaged)
        assert await run(other, "print(next(numbers))") in ("1\n", "2\n")
        said = await first
        assert "did not wake" in said and f"image restore {imaged.kernel}" in said
        assert said.endswith(("1\n", "2\n"))

    asyncio.run(work())


def test_a_cell_that_waits_for_a_kernel_is_not_run_in_the_one_that_is_started_instead(
    imaged: Imaged,
) -> None:
    """A restart drops the cells that wait, as it does of any other kernel."""
    folder = imaged.home.notebook.parent
    result, ran = folder / "result.txt", folder / "ran.txt"

    async def work() -> None:
        page = await connect(imaged)
        await run(page, "file = open('result.txt', 'w')")
        await asyncio.to_thread(fall_asleep, imaged)
        result.write_text("of somebody else")
        waiting = asyncio.create_task(run(page, "open('ran.txt', 'w'); print('ran')"))
        await asyncio.to_thread(
            eventually, lambda: "did not wake" in imaged.server.log.read_text(), "it says so"
        )
        await asyncio.to_thread(
            imaged.server.ask, "POST", f"api/kernels/{imaged.kernel}/restart", {}
        )
        other = await connect(imaged)
        assert await run(other, "print('file' in globals())") == "False\n"
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        assert await run(page, "print('of the old page')") == "of the old page\n"
        assert not ran.exists()

    asyncio.run(work())


def test_a_kernel_of_an_earlier_server_sleeps_as_any_other(imaged: Imaged) -> None:
    """Once its cell has ended, which this server has not heard begin; no page needs to have it."""
    sign = imaged.home.folder / "go on"

    async def begin() -> None:
        page = await connect(imaged)
        source = f"import os, time\nwhile not os.path.exists({str(sign)!r}): time.sleep(0.1)"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run(page, source), 2)

    asyncio.run(begin())
    with imaged.another_server(f"--Rewind.kernels_hibernate_after={_IDLE_SECONDS}"):
        time.sleep(4 * _IDLE_SECONDS)
        assert is_awake(imaged.place)
        sign.touch()
        fall_asleep(imaged)


def test_a_kernel_that_works_is_left_alone(imaged: Imaged) -> None:
    """However long its cell takes; and one that sleeps is restarted as any other."""

    async def work() -> None:
        page = await connect(imaged)
        source = f"import time; time.sleep({3 * _IDLE_SECONDS}); print('done')"
        assert await run(page, source) == "done\n"
        assert imaged.command("list")["images"] == []
        await asyncio.to_thread(fall_asleep, imaged)
        imaged.server.ask("POST", f"api/kernels/{imaged.kernel}/restart")
        assert await run(page, "print('time' in globals())") == "False\n"

    asyncio.run(work())
