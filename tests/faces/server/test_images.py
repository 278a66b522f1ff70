"""Process images over REST where none can be made: plain words, and nothing is touched."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPClientError

from tests.faces.server.support import Client, notebook

ROOT = "rewind/api/v1/kernels"


class NoKernels(Authorizer):
    """Lets everybody do everything but with kernels."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "kernels"


async def ask(client: Client, method: str, *parts: str, body: object = None) -> tuple[int, Any]:
    return await client.ask(method, ROOT, *parts, body=body)


async def test_a_kernel_that_was_started_as_always_cannot_be_imaged(client: Client) -> None:
    """The answer says why, what is on, and that the kernel goes on."""
    await client.put("a.ipynb", notebook("x = 1"))
    body = {"path": "a.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    _, session = await client.ask("POST", "api/sessions", body=body)
    kernel = session["kernel"]["id"]
    status, listed = await ask(client, "GET", kernel, "images")
    assert (status, listed["images"]) == (200, [])
    assert "kernels.images" in listed["problem"]
    status, told = await ask(client, "POST", kernel, "images", body={})
    assert (status, told["code"]) == (409, "not_imageable"), told
    assert "kernels.images" in told["message"] and "goes on" in told["hint"]
    status, told = await ask(client, "POST", kernel, "images", "head", "restore")
    assert (status, told["code"]) == (404, "not_found")
    status, told = await ask(client, "POST", kernel, "images", body={"stop": "yes"})
    assert (status, told["code"]) == (400, "invalid_input")
    await client.ask("DELETE", "api/sessions", session["id"])


async def test_an_unknown_kernel_is_no_kernel_without_images(client: Client) -> None:
    """Nothing is imaged or cleared under a name that is none."""
    status, told = await ask(client, "POST", "unknown", "images", body={})
    assert (status, told["code"]) == (404, "not_found")
    status, cleared = await ask(client, "DELETE", "unknown", "images")
    assert (status, cleared) == (200, {"deleted": [], "kept": []})


@pytest.mark.parametrize("rewind_settings", [{"kernels_images": True}])
async def test_what_pages_ask_of_kernels_passes_by_us(jp_serverapp: Any) -> None:
    """Jupyter writes an extension's settings over its own: the class of connections stays ours."""
    connection = jp_serverapp.web_app.settings["kernel_websocket_connection_class"]
    found = {
        vars(each)["handle_incoming_message"].__module__.rpartition(".")[2]
        for each in connection.__mro__
        if "handle_incoming_message" in vars(each)
    }
    assert found >= {"ear", "hibernation"}


ROUTES = (
    ("GET", ["k", "images"]), ("POST", ["k", "images"]), ("DELETE", ["k", "images"]),
    ("DELETE", ["k", "images", "head"]), ("POST", ["k", "images", "head", "restore"]),
    ("POST", ["k", "images", "head", "labels"]),
)  # fmt: skip


async def test_only_who_may_use_kernels_may_use_their_images(
    client: Client, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the token nobody; with it, whom the server's authoriser lets."""
    for method, parts in ROUTES:
        body = b"{}" if method == "POST" else None
        request = client.fetch(
            ROOT, *parts, method=method, body=body, headers={"Authorization": "token wrong"}
        )
        with pytest.raises(HTTPClientError) as caught:
            await request
        assert caught.value.code in (401, 403), (method, parts)
    settings = jp_serverapp.web_app.settings
    monkeypatch.setitem(settings, "authorizer", NoKernels(parent=jp_serverapp))
    for method, parts in ROUTES:
        assert (await ask(client, method, *parts))[0] == 403, (method, parts)


async def test_jusnaps_interface_is_not_there_unless_asked_for(client: Client) -> None:
    """Nothing answers at its addresses."""
    assert (await client.ask("GET", "api/snap", raw=True))[0] == 404
