"""Words to talk to a real Jupyter server, as front ends and other programs do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from tornado.httpclient import HTTPClientError, HTTPResponse

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36"
CORPUS = Path(__file__).parents[4] / "shared" / "corpus"


def notebook(*sources: str) -> dict[str, Any]:
    """A small notebook with these cells, with ids c0, c1, …"""
    nb = nbformat.v4.new_notebook()
    for number, source in enumerate(sources):
        cell = nbformat.v4.new_code_cell(source)
        cell["id"] = f"c{number}"
        nb.cells.append(cell)
    return dict(nb)


def written(nb: dict[str, Any]) -> bytes:
    """The bytes that Jupyter writes for it."""
    return (nbformat.writes(nbformat.from_dict(nb)) + "\n").encode()


class Client:
    """Talks to the server as front ends do; answers are (status, JSON or bytes)."""

    def __init__(self, fetch: Callable[..., Any], server: Any, root: Path) -> None:
        self.fetch = fetch
        self.server = server
        self.root = root

    @property
    def service(self) -> Any:
        return self.server._jupyter_rewind_service

    async def ask(
        self,
        method: str,
        *parts: str,
        body: object = None,
        agent: str = "tests",
        params: dict[str, str] | None = None,
        raw: bool = False,
    ) -> tuple[int, Any]:
        # Longer than tornado's 20 seconds: a busy machine is no fault of the server's.
        options: dict[str, Any] = {"method": method, "request_timeout": 90.0}
        options["headers"] = {"User-Agent": agent}
        if body is not None:
            options["body"] = json.dumps(body)
        elif method in ("POST", "PUT", "PATCH"):
            options["allow_nonstandard_methods"] = True
        try:
            response: HTTPResponse = await self.fetch(*parts, params=params, **options)
        except HTTPClientError as error:
            if error.response is None:
                raise
            response = error.response
        if raw:
            return response.code, response.body
        return response.code, json.loads(response.body) if response.body else None

    async def put(self, path: str, nb: dict[str, Any], *, agent: str = "tests") -> tuple[int, Any]:
        body = {"type": "notebook", "format": "json", "content": nb}
        return await self.ask("PUT", "api/contents", path, body=body, agent=agent)

    async def put_text(self, path: str, text: str) -> tuple[int, Any]:
        body = {"type": "file", "format": "text", "content": text}
        return await self.ask("PUT", "api/contents", path, body=body)

    async def checkpoints(self, path: str) -> list[dict[str, Any]]:
        status, found = await self.ask("GET", "api/contents", path, "checkpoints")
        assert status == 200, found
        return list(found)

    async def checkpoint(self, path: str, *, agent: str = BROWSER) -> dict[str, Any]:
        status, made = await self.ask("POST", "api/contents", path, "checkpoints", agent=agent)
        assert status == 201, made
        return dict(made)

    async def restore(self, path: str, checkpoint_id: str) -> tuple[int, Any]:
        return await self.ask("POST", "api/contents", path, "checkpoints", checkpoint_id)

    async def delete(self, path: str) -> tuple[int, Any]:
        return await self.ask("DELETE", "api/contents", path)

    async def rename(self, old: str, new: str) -> tuple[int, Any]:
        return await self.ask("PATCH", "api/contents", old, body={"path": new})

    async def rewind(
        self, method: str, noun: str, *, raw: bool = False, body: object = None, **params: Any
    ) -> tuple[int, Any]:
        return await self.ask(
            method,
            "rewind/api/v1",
            noun,
            body=body,
            raw=raw,
            params={name: str(value) for name, value in params.items()},
        )

    async def content(self, path: str, ref: str) -> bytes:
        status, raw = await self.rewind(
            "GET", "content", path=path, ref=ref, format="raw", raw=True
        )
        assert status == 200, raw
        return bytes(raw)

    async def history(self, path: str) -> list[dict[str, Any]]:
        status, found = await self.rewind("GET", "history", path=path)
        assert status == 200, found
        return list(found["checkpoints"])

    async def reasons(self, path: str) -> list[str]:
        return [each["reason"] for each in await self.checkpoints(path)]

    def file(self, path: str) -> Path:
        return self.root / path


async def eventually(ask: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """The first true answer of `ask`, which may be a coroutine function."""
    for _ in range(int(seconds / 0.05)):
        answer = ask()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds} seconds")
