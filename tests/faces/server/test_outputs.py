"""What cells put out after the notebook was saved, over REST, with real kernels of the server's."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from jupyter_client.asynchronous.client import AsyncKernelClient
from openapi_schema_validator import OAS31Validator

from jupyter_rewind.faces.server.handlers.status import OPENAPI
from tests.faces.server import support
from tests.faces.server.support import Client, notebook

SPEC: dict[str, Any] = yaml.safe_load(OPENAPI.read_text("utf-8"))
PATIENCE = 90
pytestmark = pytest.mark.slow


@pytest.fixture(params=["with Rewind", "without Rewind"])
def kernel_kind(request: pytest.FixtureRequest, jp_data_dir: Path) -> str:
    """Kernels that keep a journal of their own, and kernels that know nothing of Rewind."""
    folder = jp_data_dir / "kernels" / "chosen"
    folder.mkdir(parents=True)
    on = "true" if request.param == "with Rewind" else "false"
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Chosen",
        "language": "python",
        "env": {"JUPYTER_REWIND_KERNELS_ENABLED": on},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    return str(request.param)


async def unseen(client: Client, path: str, **params: str) -> list[dict[str, Any]]:
    status, answer = await client.rewind("GET", "outputs", path=path, **params)
    assert status == 200, answer
    schema = SPEC["paths"]["/outputs"]["get"]["responses"]["200"]["content"]["application/json"]
    OAS31Validator({**schema["schema"], "components": SPEC["components"]}).validate(answer)
    found: list[dict[str, Any]] = answer["executions"]
    return found


@asynccontextmanager
async def running(client: Client, path: str) -> AsyncIterator[tuple[str, AsyncKernelClient]]:
    body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "chosen"}}
    status, session = await client.ask("POST", "api/sessions", body=body)
    assert status == 201, session
    kernel_id = session["kernel"]["id"]
    manager = client.server.kernel_manager.get_kernel(kernel_id)
    kernel = AsyncKernelClient()
    kernel.load_connection_file(manager.connection_file)
    kernel.start_channels(hb=False)
    try:
        await kernel.wait_for_ready(timeout=PATIENCE)
        yield kernel_id, kernel
    finally:
        kernel.stop_channels()
        await client.ask("DELETE", "api/sessions", session["id"])


async def test_what_ran_after_the_last_save_is_told_with_its_outputs(
    client: Client, kernel_kind: str
) -> None:
    """The newest execution of each cell, as the notebook would show it; after a save nothing."""
    book = notebook("print('hello'); 6 * 7", "1 / 0")
    await client.put("a.ipynb", book)
    async with running(client, "a.ipynb") as (kernel_id, kernel):
        for source in ("print('old')", "print('hello'); 6 * 7", "1 / 0"):
            await kernel.execute_interactive(source, timeout=PATIENCE)
        found = await eventually(lambda: unseen(client, "a.ipynb"), lambda told: ended(told, 3))
        assert [each["count"] for each in found] == [1, 2, 3]
        hello = found[1]
        assert hello["source"] == "print('hello'); 6 * 7"
        assert hello["outputs"][0] == {"output_type": "stream", "name": "stdout", "text": "hello\n"}
        assert hello["outputs"][1]["data"] == {"text/plain": "42"}
        assert found[2]["status"] == "error"
        assert found[2]["outputs"][0]["ename"] == "ZeroDivisionError"
        expected = kernel_kind == "with Rewind"
        # The journal may tell of a cell before the thread that listens has looked at it.
        await support.eventually(
            lambda: client.service.hearing.keeps_its_own(kernel_id) is expected
        )
        await client.put("a.ipynb", book)
        assert await unseen(client, "a.ipynb") == []
        assert len(await unseen(client, "a.ipynb", since="1")) == 3


async def test_a_cell_that_still_runs_is_told_as_such(client: Client, kernel_kind: str) -> None:
    """Its outputs so far; more of them later; saved in between or not."""
    book = notebook("wait")
    await client.put("a.ipynb", book)
    sign = client.root / "go on"
    async with running(client, "a.ipynb") as (_, kernel):
        kernel.execute(
            "import os, time\nprint('begun', flush=True)\n"
            f"while not os.path.exists({str(sign)!r}): time.sleep(0.01)\n"
            "print('done')"
        )
        found = await eventually(
            lambda: unseen(client, "a.ipynb"),
            lambda told: len(told) == 1 and "begun" in json.dumps(told),
        )
        assert found[0]["running"] is True
        assert found[0]["finished"] is None
        await client.put("a.ipynb", book)
        assert [each["running"] for each in await unseen(client, "a.ipynb")] == [True]
        sign.touch()
        found = await eventually(lambda: unseen(client, "a.ipynb"), lambda told: ended(told, 1))
        assert found[0]["outputs"][0]["text"] == "begun\ndone\n"


async def test_a_renamed_notebook_keeps_what_ran_in_it(client: Client, kernel_kind: str) -> None:
    """The outputs belong to the notebook, not to its name."""
    await client.put("a.ipynb", notebook("print(1)"))
    async with running(client, "a.ipynb") as (_, kernel):
        await kernel.execute_interactive("print(1)", timeout=PATIENCE)
        await eventually(lambda: unseen(client, "a.ipynb"), lambda told: ended(told, 1))
        await client.rename("a.ipynb", "b.ipynb")
        found = await eventually(
            lambda: unseen(client, "b.ipynb", since="1"), lambda told: ended(told, 1)
        )
        assert found[0]["source"] == "print(1)"


@pytest.mark.parametrize("kernel_kind", ["without Rewind"], indirect=True)
async def test_kernels_without_rewind_are_not_taken_for_kernels_that_keep_states(
    client: Client, kernel_kind: str
) -> None:
    """They are in no list of states, and asking them for one is refused in words."""
    await client.put("a.ipynb", notebook("print(1)"))
    async with running(client, "a.ipynb") as (kernel_id, kernel):
        await kernel.execute_interactive("print(1)", timeout=PATIENCE)
        await eventually(lambda: unseen(client, "a.ipynb"), lambda told: ended(told, 1))
        status, answer = await client.rewind("GET", "kernels")
        assert (status, answer) == (200, {"runs": []})
        status, answer = await client.rewind("GET", f"kernels/{kernel_id}/snapshots")
        assert status == 404, answer
        assert "without Rewind" in answer["hint"]


async def test_what_was_heard_is_recovered_when_the_notebook_is_gone(
    client: Client, kernel_kind: str
) -> None:
    """The notebook is lost with its history: its cells and outputs come back from the journal."""
    source = "print('only the journal knows')"
    await client.put("a.ipynb", notebook("unrelated = 1"))
    async with running(client, "a.ipynb") as (_, kernel):
        await kernel.execute_interactive(source, timeout=PATIENCE)
        await eventually(lambda: unseen(client, "a.ipynb"), lambda told: ended(told, 1))
    status, answer = await client.rewind("POST", "recover/preview", body={"path": "a.ipynb"})
    assert status == 200, answer
    cells = answer["notebook"]["cells"]
    (cell,) = [each for each in cells if "".join(each["source"]) == source]
    assert "only the journal knows" in json.dumps(cell["outputs"])


def ended(told: list[dict[str, Any]], count: int) -> bool:
    return len(told) == count and all(each["finished"] for each in told)


async def eventually(
    ask: Callable[[], Awaitable[list[dict[str, Any]]]],
    holds: Callable[[list[dict[str, Any]]], bool],
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(PATIENCE * 10):
        found = await ask()
        if holds(found):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"never: {found}")
