"""Process images over REST: with a real server, real kernels and the real CRIU."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from tornado.websocket import websocket_connect

from jupyter_rewind.faces.server.announcer import IMAGE_EVENTS
from jupyter_rewind.faces.server.handlers.status import OPENAPI
from tests.support.imaged import NOTEBOOK, Imaged
from tests.support.kernels import PATIENCE, eventually
from tests.support.servers import TOKEN

pytestmark = pytest.mark.images

SPEC: dict[str, Any] = yaml.safe_load(OPENAPI.read_text("utf-8"))
ROOT = "/kernels/{kernel}/images"


class Images:
    """Requests about a kernel's images, every answer held against the description."""

    def __init__(self, imaged: Imaged) -> None:
        self.imaged = imaged

    def __call__(
        self, method: str, template: str, image: str = "", body: object = None, query: str = ""
    ) -> tuple[int, Any]:
        path = template.replace("{kernel}", self.imaged.kernel).replace("{image}", image)
        status = 200
        try:
            answer = self.imaged.server.ask(method, f"rewind/api/v1{path}{query}", body)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        responses = SPEC["paths"][template][method.lower()]["responses"]
        if answer is None:
            assert "204" in responses
            return 204, None
        schema = (responses.get("200") or responses["201"])["content"]["application/json"]["schema"]
        OAS31Validator({**schema, "components": SPEC["components"]}).validate(answer)
        return status, answer


class Heard:
    """What the server announces of images, as a program that subscribes to events hears it."""

    def __init__(self, imaged: Imaged) -> None:
        self._address = f"ws://127.0.0.1:{imaged.server.port}/api/events/subscribe?token={TOKEN}"
        self._ready = threading.Event()
        self.actions: list[str] = []
        threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True).start()
        assert self._ready.wait(PATIENCE)

    async def _listen(self) -> None:
        connection = await websocket_connect(self._address)
        self._ready.set()
        while (said := await connection.read_message()) is not None:
            told = json.loads(said)
            if told["schema_id"] == IMAGE_EVENTS:
                self.actions.append(told["action"])


@pytest.fixture
def images(imaged: Imaged) -> Images:
    return Images(imaged)


def test_images_are_made_listed_named_brought_back_and_deleted(images: Images) -> None:
    """Everything that the command can do, over the network, with an id in every answer."""
    imaged = images.imaged
    heard = Heard(imaged)
    imaged.run("import os; numbers = iter(range(9)); next(numbers); pid = os.getpid()")
    first = images("POST", ROOT, body={"label": "begin"})[1]["image"]
    assert (first["kernel"], first["path"], first["labels"]) == (imaged.kernel, NOTEBOOK, ["begin"])
    assert imaged.run("print(next(numbers))") == "1\n"
    _, done = images("POST", f"{ROOT}/{{image}}/restore", "begin")
    assert done["image"]["id"] == first["id"]
    assert imaged.run("print(next(numbers), os.getpid() == pid)") == "1 True\n"
    kept = done["kept"]["id"]
    _, beside = images("POST", f"{ROOT}/{{image}}/restore", "begin", {"beside": True})
    assert beside["kept"] is None and beside["kernel"] != imaged.kernel == done["kernel"]
    ids = {each["id"] for each in imaged.server.ask("GET", "api/kernels")}
    assert ids == {imaged.kernel, beside["kernel"]}
    imaged.server.ask("DELETE", f"api/kernels/{beside['kernel']}")
    assert imaged.run("print(next(numbers))") == "2\n"
    _, named = images("POST", f"{ROOT}/{{image}}/labels", kept, {"label": "later"})
    assert named["image"]["labels"] == ["later"]
    plain = images("POST", ROOT)[1]["image"]["id"]
    _, listed = images("GET", ROOT)
    assert [each["id"] for each in listed["images"]] == [first["id"], kept, plain]
    assert listed["problem"] is None
    _, every = images("GET", "/images", query=f"?path={NOTEBOOK}")
    assert every["images"] == listed["images"]
    assert images("GET", "/images", query="?path=other.ipynb")[1]["images"] == []
    _, cleared = images("DELETE", ROOT)
    assert [each["id"] for each in cleared["deleted"]] == [plain]
    assert [each["id"] for each in cleared["kept"]] == [first["id"], kept]
    assert images("DELETE", f"{ROOT}/{{image}}", kept) == (204, None)
    assert [each["id"] for each in images("GET", ROOT)[1]["images"]] == [first["id"]]
    status, told = images("POST", f"{ROOT}/{{image}}/restore", "nothing")
    assert (status, told["code"]) == (404, "not_found")
    expected = ["created", "restored", "restored", "labelled", "created", "deleted", "deleted"]
    eventually(lambda: heard.actions == expected, "an event of each change")


def test_images_go_along_when_their_notebook_is_renamed(images: Images) -> None:
    """As the page asks for them, and the command; another notebook of the old name has none."""
    imaged = images.imaged
    first = images("POST", ROOT, body={})[1]["image"]["id"]
    ask = imaged.server.ask
    ask("PATCH", f"api/contents/{NOTEBOOK}", {"path": "renamed.ipynb"})
    ask("PATCH", f"api/sessions/{imaged.session['id']}", {"path": "renamed.ipynb"})
    second = images("POST", ROOT, body={})[1]["image"]["id"]
    imaged.server.put(NOTEBOOK, "2")

    def listed(path: str) -> list[tuple[str, str]]:
        _, found = images("GET", "/images", query=f"?path={path}")
        return [(each["id"], each["path"]) for each in found["images"]]

    assert listed("renamed.ipynb") == [(first, "renamed.ipynb"), (second, "renamed.ipynb")]
    assert listed(NOTEBOOK) == []
    told = imaged.command("list", "renamed.ipynb")["images"]
    assert [each["id"] for each in told] == [second, first]
    told = imaged.rewind("history", "renamed.ipynb")["images"]
    assert [each["id"] for each in told] == [second, first]
    ask("DELETE", f"api/sessions/{imaged.session['id']}")
    imaged.command("restore", "renamed.ipynb", first)
    assert imaged.command("list", NOTEBOOK, status=3)["error"]["code"] == "not_found"


def test_a_kernel_sleeps_and_wakes_over_rest(images: Images) -> None:
    """The image that a sleeping kernel needs is not cleared, and it cannot be imaged twice."""
    imaged = images.imaged
    imaged.run("x = 1")
    slept = images("POST", ROOT, body={"stop": True})[1]["image"]["id"]
    status, told = images("POST", ROOT)
    assert (status, "sleeps" in told["message"]) == (409, True)
    _, cleared = images("DELETE", ROOT)
    assert (cleared["deleted"], [each["id"] for each in cleared["kept"]]) == ([], [slept])
    assert images("POST", f"{ROOT}/{{image}}/restore", slept)[1]["kept"] is None
    assert imaged.run("print(x)") == "1\n"


def test_whoever_comes_second_is_told_so_and_nothing_is_lost(images: Images) -> None:
    """While an image is made, a restore of the same kernel is refused: try again."""
    imaged = images.imaged
    imaged.run("import os; block = os.urandom(200 << 20)")
    made: list[tuple[int, Any]] = []

    def make() -> None:
        while not made:
            status, told = images("POST", ROOT)
            if told.get("code") != "busy":  # the restore, which finds no image yet, came first
                made.append((status, told))

    maker = threading.Thread(target=make)
    maker.start()
    refused: list[Any] = []

    def is_refused() -> bool:
        status, told = images("POST", f"{ROOT}/{{image}}/restore", "head")
        refused.append((status, told.get("code"), told.get("retryable")))
        return refused[-1] == (409, "busy", True) or bool(made)

    eventually(is_refused, "the second one is answered")
    maker.join()
    assert (409, "busy", True) in refused
    assert made[0][0] == 200
    assert imaged.run("print(len(block))") == f"{200 << 20}\n"


def test_a_kernel_that_has_ended_is_this_servers_again_when_the_answer_comes(
    images: Images,
) -> None:
    """Under its old id, with its session, at once."""
    imaged = images.imaged
    imaged.run("x = 'kept'")
    made = images("POST", ROOT)[1]["image"]["id"]
    imaged.server.ask("DELETE", f"api/sessions/{imaged.session['id']}")
    assert images("POST", ROOT)[0] == 404
    images("POST", f"{ROOT}/{{image}}/restore", made)
    assert [each["id"] for each in imaged.server.ask("GET", "api/kernels")] == [imaged.kernel]
    assert [e["id"] for e in imaged.server.ask("GET", "api/sessions")] == [imaged.session["id"]]
    assert imaged.run("print(x)") == "kept\n"


def test_a_kernel_that_has_ended_comes_back_to_its_notebook_though_that_was_renamed(
    images: Images,
) -> None:
    """And not to another one that has got the old name since; what it runs from then on is told
    of the notebook under its new name."""
    imaged, server = images.imaged, images.imaged.server
    made = images("POST", ROOT)[1]["image"]["id"]
    session = f"api/sessions/{imaged.session['id']}"
    server.ask("PATCH", f"api/contents/{NOTEBOOK}", {"path": "later.ipynb"})
    server.ask("PATCH", session, {"path": "later.ipynb", "name": "later.ipynb"})
    server.ask("DELETE", session)
    server.put(NOTEBOOK, "2")
    connection = imaged.home.folder / "runtime" / f"kernel-{imaged.kernel}.rewind"
    connection.unlink(missing_ok=True)  # as by a server that has started since
    images("POST", f"{ROOT}/{{image}}/restore", made)
    assert [each["path"] for each in server.ask("GET", "api/sessions")] == ["later.ipynb"]
    imaged.run("x = 'after'")
    assert imaged.rewind("image", "list", "later.ipynb")["images"]
    runs = imaged.rewind("kernels")["runs"]
    assert {Path(each["path"]).name for each in runs} == {"later.ipynb"}


def test_an_old_criu_is_one_clear_sentence_over_rest(start: Callable[..., Imaged]) -> None:
    """The kernel runs on, and the list says why no image is made."""
    imaged = start(criu="3.17.1")
    images = Images(imaged)
    assert "CRIU 3.17.1" in images("GET", ROOT)[1]["problem"]
    status, told = images("POST", ROOT)
    assert status == 403 and "4.2 or later" in told["message"], told
    assert imaged.run("print(1)") == "1\n"
