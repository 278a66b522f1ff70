"""The states of kernels over REST, with a real kernel of the server's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml
from jupyter_client.asynchronous.client import AsyncKernelClient
from openapi_schema_validator import OAS31Validator

from jupyter_rewind.errors import Denied, Full
from jupyter_rewind.faces.server.announcer import KERNEL_EVENTS
from jupyter_rewind.faces.server.handlers.status import OPENAPI
from jupyter_rewind.workspace import Workspace
from tests.faces.server.support import Client, eventually, notebook

SPEC: dict[str, Any] = yaml.safe_load(OPENAPI.read_text("utf-8"))
PATIENCE = 90
Ask = Callable[..., Any]

pytestmark = pytest.mark.slow


class Api:
    """Requests below `/kernels`, every answer held against the description."""

    def __init__(self, client: Client, kernel: str) -> None:
        self.client = client
        self.kernel = kernel

    async def __call__(
        self, method: str, template: str, *, snapshot: str = "", body: object = None, **params: Any
    ) -> tuple[int, Any]:
        path = template.replace("{kernel}", self.kernel).replace("{snapshot}", snapshot)
        status, answer = await self.client.ask(
            method, "rewind/api/v1", *path.strip("/").split("/"), body=body,
            params={name: str(value) for name, value in params.items()},
        )  # fmt: skip
        responses = SPEC["paths"][template][method.lower()]["responses"]
        assert status >= 400 or str(status) in responses, (template, status)
        response = responses.get(str(status), responses["default"])
        if "$ref" in response:
            response = SPEC["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        if status != 204:
            schema = response["content"]["application/json"]["schema"]
            OAS31Validator({**schema, "components": SPEC["components"]}).validate(answer)
        return status, answer


class Running:
    """A notebook's kernel of this server."""

    def __init__(self, session: Any, kernel: AsyncKernelClient, api: Api) -> None:
        self.session = session
        self.kernel = kernel
        self.api = api

    async def run(self, source: str) -> None:
        reply = await self.kernel.execute_interactive(source, timeout=PATIENCE)
        assert reply["content"]["status"] == "ok", reply

    async def connect(self) -> None:
        """A fresh client: an old one may take the time without a kernel for its end."""
        self.kernel.stop_channels()
        fresh = AsyncKernelClient()
        manager = self.api.client.server.kernel_manager.get_kernel(self.session["kernel"]["id"])
        fresh.load_connection_file(manager.connection_file)
        fresh.start_channels(hb=False)
        self.kernel = fresh
        await fresh.wait_for_ready(timeout=PATIENCE)

    async def value(self, expression: str) -> str:
        reply = await self.kernel.execute_interactive(
            "", silent=True, user_expressions={"v": expression}, timeout=PATIENCE
        )
        return str(reply["content"]["user_expressions"]["v"]["data"]["text/plain"])


@pytest.fixture
def rewind_settings() -> dict[str, Any]:
    """On a machine that is busy, a state would be passed over for want of time."""
    return {"kernels_budget_floor_ms": 60_000}


@pytest.fixture
def running(client: Client, jp_serverapp: Any) -> Callable[[], Any]:
    """Starts a notebook's kernel, which is gone when the block has ended."""

    @asynccontextmanager
    async def start() -> AsyncIterator[Running]:
        await client.put("a.ipynb", notebook("x = 1"))
        body = {"path": "a.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        status, session = await client.ask("POST", "api/sessions", body=body)
        assert status == 201, session
        kernel_id = session["kernel"]["id"]
        manager = jp_serverapp.kernel_manager.get_kernel(kernel_id)
        kernel = AsyncKernelClient()
        kernel.load_connection_file(manager.connection_file)
        kernel.start_channels(hb=False)
        started = Running(session, kernel, Api(client, kernel_id))
        try:
            await kernel.wait_for_ready(timeout=PATIENCE)
            yield started
        finally:
            started.kernel.stop_channels()
            await client.ask("DELETE", "api/sessions", session["id"])

    return start


async def test_states_are_listed_reported_and_compared(running: Callable[[], Any]) -> None:
    """What the kernel kept by itself can be read without asking it."""
    async with running() as kernel:
        api = kernel.api
        await kernel.run("kept = [1]; gone = 1")
        await kernel.run("del gone; kept.append(2)")
        _, listed = await api("GET", "/kernels/{kernel}/snapshots")
        assert [each["count"] for each in listed["snapshots"]] == [1, 2]
        _, newest = await api("GET", "/kernels/{kernel}/snapshots", limit=1)
        assert newest["snapshots"] == listed["snapshots"][-1:]
        one = "/kernels/{kernel}/snapshots/{snapshot}"
        _, report = await api("GET", one, snapshot="1")
        kept = {each["name"]: each["fidelity"] for each in report["report"]}
        assert (kept["kept"], kept["gone"]) == ("exact", "exact")
        _, diff = await api("GET", "/kernels/{kernel}/diff", before="1")
        changes = {each["name"]: each["how"] for each in diff["changes"]}
        assert (changes["kept"], changes["gone"]) == ("changed", "removed")
        _, runs = await api("GET", "/kernels")
        assert (runs["runs"][0]["alive"], runs["runs"][0]["path"]) == (True, "a.ipynb")
        assert (await api("GET", one, snapshot="77"))[0] == 404
        kernel.api.kernel = "unknown"
        assert (await api("GET", "/kernels/{kernel}/snapshots"))[0] == 404


async def test_a_kernel_goes_back_and_forth(running: Callable[[], Any], jp_serverapp: Any) -> None:
    """Create, restore, undo and delete, each told to whoever listens."""
    async with running() as kernel:
        heard: list[dict[str, Any]] = []

        async def hear(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
            heard.append(data)

        jp_serverapp.event_logger.add_listener(schema_id=KERNEL_EVENTS, listener=hear)
        api = kernel.api
        await kernel.run("x = 1")
        await kernel.run("x = 2")
        status, made = await api("POST", "/kernels/{kernel}/snapshots", body={"label": "two"})
        assert status == 201
        assert made["snapshot"]["labels"] == ["two"]
        await kernel.run("x = 3")
        one = "/kernels/{kernel}/snapshots/{snapshot}"
        _, moved = await api("POST", f"{one}/restore", snapshot="two", body={})
        assert moved["snapshot"]["id"] == made["snapshot"]["id"]
        assert await kernel.value("x") == "2"
        _, undone = await api("POST", "/kernels/{kernel}/undo")
        assert undone["snapshot"]["id"] == moved["kept"]["id"]
        assert await kernel.value("x") == "3"
        assert (await api("DELETE", one, snapshot="two"))[0] == 409
        assert (await api("DELETE", one, snapshot="two", force="true"))[0] == 204
        assert (await api("GET", one, snapshot=made["snapshot"]["id"]))[0] == 404
        await eventually(lambda: len(heard) == 4)
        assert [each["action"] for each in heard] == ["created", "restored", "restored", "deleted"]


async def test_a_killed_kernels_state_is_offered_and_taken_over(
    running: Callable[[], Any], client: Client, jp_serverapp: Any
) -> None:
    """The server restarts a kernel that died; the new one takes the old one's state over."""
    async with running() as kernel:
        api = kernel.api
        await kernel.run("data = {'a': 1}")
        kernel.kernel.execute("import os; os.kill(os.getpid(), 9)")

        async def back() -> bool:
            _, found = await api("GET", "/kernels")
            return len(found["runs"]) == 2

        await eventually(back, seconds=PATIENCE)
        await kernel.connect()
        _, offer = await api("GET", "/kernels/resumable", path="a.ipynb")
        assert (offer["run"]["cut_short"], offer["run"]["path"]) == (True, "a.ipynb")
        name = kernel.session["kernel"]["id"]
        _, offer = await api("GET", "/kernels/resumable", path="a.ipynb", kernel=name)
        assert (offer["lost"], offer["wanted"]) == (True, "ask")
        status, moved = await api("POST", "/kernels/resumable", body={"kernel": name})
        assert status == 200, moved
        _, offer = await api("GET", "/kernels/resumable", path="a.ipynb", kernel=name)
        assert offer["lost"] is False
        assert await kernel.value("data") == "{'a': 1}"
        assert (await api("GET", "/kernels/resumable", path="b.ipynb"))[1]["snapshot"] is None


async def test_notebook_and_variables_come_back_together(
    running: Callable[[], Any], client: Client
) -> None:
    """The history says which state belongs to which checkpoint; restoring both is one request."""
    async with running() as kernel:
        await kernel.run("x = 1")
        await client.put("a.ipynb", notebook("x = 1", "y"))
        assert len(await client.history("a.ipynb")) == 2
        await kernel.run("x = 2")
        await client.put("a.ipynb", notebook("x = 2", "y"))
        _, history = await client.rewind("GET", "history", path="a.ipynb")
        ids = [each["id"] for each in history["checkpoints"]]
        assert [history["states"][each]["count"] for each in ids[1:]] == [1, 2]
        body = {"path": "a.ipynb", "ref": ids[1], "state": True}
        status, done = await client.rewind("POST", "restore", body=body)
        assert status == 200, done
        assert done["state"]["snapshot"]["count"] == 1
        assert await kernel.value("x") == "1"
        assert client.file("a.ipynb").read_text().count("x = 1") == 1
        assert (await client.rewind("POST", "restore", body={**body, "ref": ids[0]}))[0] == 409


async def test_variables_stay_where_the_notebook_cannot_follow(
    running: Callable[[], Any], client: Client, monkeypatch: Any
) -> None:
    """A file that cannot be written: what was refused has changed nothing, and says so."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise Denied("a.ipynb may not be written.", hint="Check its permissions.")

    async with running() as kernel:
        await kernel.run("x = 1")
        await client.put("a.ipynb", notebook("x = 1", "y"))
        await kernel.run("x = 2")
        await client.put("a.ipynb", notebook("x = 2", "y"))
        ids = [each["id"] for each in await client.history("a.ipynb")]
        monkeypatch.setattr(Workspace, "restore", refuse)
        body = {"path": "a.ipynb", "ref": ids[1], "state": True}
        status, told = await client.rewind("POST", "restore", body=body)
        assert status == 403
        assert "The variables are as they were." in told["hint"]
        assert await kernel.value("x") == "2"


async def test_variables_stay_with_a_file_that_is_back_whatever_fails_afterwards(
    running: Callable[[], Any], client: Client, monkeypatch: Any
) -> None:
    """The store is full behind the file: both are those of then, and the answer says so."""
    from jupyter_rewind.notebooks import documents

    def fail(*_: Any, **__: Any) -> Any:
        raise Full("The disk is full.", hint="Nothing was changed.")

    async with running() as kernel:
        await kernel.run("x = 1")
        await client.put("a.ipynb", notebook("x = 1", "y"))
        assert len(await client.history("a.ipynb")) == 2
        await kernel.run("x = 2")
        await client.put("a.ipynb", notebook("x = 2", "y"))
        ids = [each["id"] for each in await client.history("a.ipynb")]
        monkeypatch.setattr(documents, "identify", fail)
        body = {"path": "a.ipynb", "ref": ids[1], "state": True}
        status, told = await client.rewind("POST", "restore", body=body)
        assert status == 507 and "was brought back" in told["message"], told
        assert "variables" not in told["hint"]
        assert await kernel.value("x") == "1"
        assert "x = 1" in client.file("a.ipynb").read_text()


async def test_what_ran_is_listed_the_newest_first_and_some_at_a_time(
    running: Callable[[], Any],
) -> None:
    """Each run of a cell with its first line and how it ended; older ones on request."""
    async with running() as kernel:
        api = kernel.api
        await kernel.run("\n# first\nx = 1")
        await kernel.run("y = 2")
        failed = await kernel.kernel.execute_interactive("1 / 0", timeout=PATIENCE)
        assert failed["content"]["status"] == "error"
        _, listed = await api("GET", "/executions", path="a.ipynb", limit=2)
        assert [(each["count"], each["line"]) for each in listed["executions"]] == [
            (3, "1 / 0"), (2, "y = 2"),
        ]  # fmt: skip
        assert [each["status"] for each in listed["executions"]] == ["error", "ok"]
        assert "ZeroDivisionError" in listed["executions"][0]["error"]
        assert listed["more"] is True
        oldest = listed["executions"][-1]["id"]
        _, older = await api("GET", "/executions", path="a.ipynb", limit=2, before=oldest)
        assert [each["line"] for each in older["executions"]] == ["# first"]
        assert (older["executions"][0]["lines"], older["more"]) == (3, False)
        first = older["executions"][0]
        assert first["finished_ns"] > first["started_ns"] and not first["running"]
        assert (await api("GET", "/executions", path="a.ipynb", before="unknown"))[0] == 404
        _, none = await api("GET", "/executions", path="b.ipynb")
        assert none == {"executions": [], "more": False}


async def test_a_state_tells_its_variables_and_what_changed(running: Callable[[], Any]) -> None:
    """By notebook, whichever kernel it was: the list, the report, and the difference from the state
    before or from any other, with how both keep it."""
    async with running() as kernel:
        api = kernel.api
        await kernel.run("kept = [1]; gone = 1")
        await kernel.run("del gone; kept.append(2); import json")
        _, listed = await api("GET", "/snapshots", path="a.ipynb", limit=1)
        assert ([each["count"] for each in listed["snapshots"]], listed["more"]) == ([2], True)
        newest = listed["snapshots"][0]["id"]
        _, older = await api("GET", "/snapshots", path="a.ipynb", before=newest)
        assert ([each["count"] for each in older["snapshots"]], older["more"]) == ([1], False)
        one = "/snapshots/{snapshot}"
        _, told = await api("GET", one, snapshot=newest, path="a.ipynb")
        assert told["before"]["count"] == 1
        kept = {each["name"]: each["fidelity"] for each in told["report"]}
        assert kept == {"kept": "exact", "json": "by reference"}
        changes = {each["name"]: each["how"] for each in told["changes"]}
        assert changes == {"kept": "changed", "gone": "removed", "json": "added"}
        _, first = await api("GET", one, snapshot="1", path="a.ipynb")
        assert (first["before"], first["changes"]) == (None, None)
        assert (await api("GET", one, snapshot="77", path="a.ipynb"))[0] == 404
        both = f"{one}/diff"
        _, diff = await api("GET", both, snapshot=newest, path="a.ipynb", after="1")
        assert (diff["before"]["count"], diff["after"]["count"]) == (2, 1)
        assert {each["name"] for each in diff["before_report"]} == {"kept", "json"}
        assert {each["name"] for each in diff["after_report"]} == {"kept", "gone"}
        changes = {each["name"]: each["how"] for each in diff["changes"]}
        assert changes == {"kept": "changed", "gone": "added", "json": "removed"}
        _, same = await api("GET", both, snapshot="2", path="a.ipynb")
        assert (same["after"]["id"], same["changes"]) == (newest, [])
        assert (await api("GET", both, snapshot="1", path="a.ipynb", after="77"))[0] == 404


async def test_one_variable_is_brought_back(running: Callable[[], Any]) -> None:
    """A name that is taken is not overwritten unasked; what had it is kept first."""
    async with running() as kernel:
        api = kernel.api
        await kernel.run("rows = [3, 1, 2]")
        await kernel.run("rows = 'spoiled'")
        variables = "/kernels/{kernel}/variables"
        _, listed = await api("GET", "/snapshots", path="a.ipynb")
        ref = listed["snapshots"][-1]["id"]
        status, refused = await api("POST", variables, body={"name": "rows", "ref": ref})
        assert (status, refused["code"]) == (409, "name_taken")
        assert await kernel.value("rows") == "'spoiled'"
        body = {"name": "rows", "ref": ref, "as": "old_rows"}
        status, done = await api("POST", variables, body=body)
        assert (status, done) == (200, {"name": "old_rows", "kept": None, "missing": ""})
        assert await kernel.value("(rows, old_rows)") == "('spoiled', [3, 1, 2])"
        body = {"name": "rows", "ref": ref, "replace": True}
        status, done = await api("POST", variables, body=body)
        assert status == 200, done
        assert await kernel.value("rows") == "[3, 1, 2]"
        one = "/kernels/{kernel}/snapshots/{snapshot}/restore"
        assert (await api("POST", one, snapshot=done["kept"]["id"], body={}))[0] == 200
        assert await kernel.value("rows") == "'spoiled'"
        body = {"name": "never", "ref": ref}
        assert (await api("POST", variables, body=body))[0] == 404
        body = {"name": "rows", "ref": ref, "as": "not a name"}
        assert (await api("POST", variables, body=body))[0] == 400


async def test_a_variable_says_which_part_of_it_was_not_kept(running: Callable[[], Any]) -> None:
    """The rest of it is there."""
    async with running() as kernel:
        await kernel.run("rows = {'n': 1, 'g': (i for i in range(9))}; next(rows['g'])")
        body = {"name": "rows", "ref": "1", "as": "old_rows"}
        status, done = await kernel.api("POST", "/kernels/{kernel}/variables", body=body)
        assert status == 200, done
        assert await kernel.value("old_rows['n']") == "1"
        assert "a generator" in done["missing"]
