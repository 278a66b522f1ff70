"""The REST interface under /rewind/api/v1/, every answer checked against its description."""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
import pytest
import yaml
from nbdime import patch_notebook
from nbdime.diff_utils import to_diffentry_dicts
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from jupyter_rewind.faces.server.handlers.routes import HANDLERS
from jupyter_rewind.faces.server.handlers.status import OPENAPI
from jupyter_rewind.model.checkpoint import Reason
from tests.faces.server.support import Client, notebook, written

SPEC: dict[str, Any] = yaml.safe_load(OPENAPI.read_text("utf-8"))


class Checked(Client):
    """A client that holds every answer against the description."""

    async def rewind(self, method: str, noun: str, **options: Any) -> tuple[int, Any]:
        status, answer = await super().rewind(method, noun, **options)
        if not options.get("raw") and status != 204:
            check(method, noun, status, answer)
        return status, answer


def check(method: str, noun: str, status: int, answer: object) -> None:
    """The answer is one that the description allows."""
    responses = SPEC["paths"][f"/{noun}"][method.lower()]["responses"]
    assert status >= 400 or str(status) in responses, (noun, status)
    response = responses.get(str(status), responses.get("default"))
    if "$ref" in response:
        response = SPEC["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    schema = response["content"]["application/json"]["schema"]
    OAS31Validator({**schema, "components": SPEC["components"]}).validate(answer)


@pytest.fixture
def client(client: Client) -> Checked:
    return Checked(client.fetch, client.server, client.root)


def test_the_description_is_valid() -> None:
    """The file is OpenAPI 3.1."""
    validate(SPEC)


def test_every_route_is_described_and_every_description_served() -> None:
    """Neither a route nor a method is missing on either side."""
    served = {
        path: {
            method.lower()
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
            if method.lower() in vars(kind)
        }
        for path, kind in HANDLERS.items()
    }
    assert served == {path: set(methods) for path, methods in SPEC["paths"].items()}


async def test_the_description_is_served(client: Client) -> None:
    """A program can read it from the server."""
    status, raw = await client.ask("GET", "rewind/api/v1/openapi.yaml", raw=True)
    assert status == 200
    assert yaml.safe_load(raw) == SPEC


@pytest.mark.parametrize(
    ("noun", "params"),
    [
        ("openapi.yaml", {}),
        ("content", {"path": "a.ipynb", "ref": "head", "format": "raw"}),
        ("content", {"path": "a.ipynb", "ref": "head"}),
        ("health", {}),
    ],
)
async def test_an_answer_says_what_kind_of_bytes_it_is(
    client: Client, noun: str, params: dict[str, str]
) -> None:
    """Bytes are called bytes and YAML is called YAML, as the description has it."""
    await client.put("a.ipynb", notebook("x = 1"))
    answer = await client.fetch("rewind/api/v1", noun, params=params)
    described = SPEC["paths"][f"/{noun}"]["get"]["responses"]["200"]["content"]
    kind = answer.headers["Content-Type"].split(";")[0]
    assert kind in described
    assert (kind == "application/json") is (
        params.get("format") != "raw" and noun != "openapi.yaml"
    )


async def test_a_history_with_one_checkpoint_and_its_content(client: Client) -> None:
    """History, one checkpoint by any ref, its notebook and its bytes."""
    for number in range(3):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    _, history = await client.rewind("GET", "history", path="a.ipynb")
    assert (history["count"], history["deleted"], history["condition"]["state"]) == (3, False, "ok")
    newest = (await client.rewind("GET", "history", path="a.ipynb", limit=1, newest_first=True))[1]
    assert [each["id"] for each in newest["checkpoints"]] == [history["checkpoints"][-1]["id"]]
    _, found = await client.rewind("GET", "checkpoint", path="a.ipynb", ref="head~2")
    assert found["id"] == history["checkpoints"][0]["id"]
    _, content = await client.rewind("GET", "content", path="a.ipynb", ref=found["id"])
    assert content["content"]["cells"][0]["source"] in ("x = 0", ["x = 0"])
    assert json.loads(await client.content("a.ipynb", "head"))["cells"]


async def test_a_long_history_comes_some_at_a_time(client: Client) -> None:
    """The newest ones, then those before the last of these, without a gap and without an end."""
    for number in range(5):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    asked = {"path": "a.ipynb", "limit": 2, "newest_first": "true"}
    every = [each["id"] for each in await client.history("a.ipynb")][::-1]
    seen: list[str] = []
    for _ in range(3):
        before = {"before": seen[-1]} if seen else {}
        _, some = await client.rewind("GET", "history", **asked, **before)
        assert some["count"] == 5
        seen += [each["id"] for each in some["checkpoints"]]
    assert seen == every
    status, _ = await client.rewind("GET", "history", **asked, before="0123456789abcdef")
    assert status == 404


async def test_a_diff_is_nbdimes(client: Client) -> None:
    """Between two checkpoints and to the present, as a list of nbdime's operations."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 2"))
    _, between = await client.rewind("GET", "diff", path="a.ipynb", base="head~1", remote="head")
    assert between["diff"][0]["op"] == "patch"
    assert "notebook" not in between
    client.file("a.ipynb").write_bytes(written(notebook("x = 1")))
    _, present = await client.rewind("GET", "diff", path="a.ipynb", base="head~1")
    assert present["remote"] is None
    assert present["diff"] == []
    asked = {"path": "a.ipynb", "base": "head~1", "remote": "head", "notebook": "true"}
    _, both = await client.rewind("GET", "diff", **asked)
    assert both["notebook"]["cells"][0]["source"] == "x = 1"
    found = patch_notebook(nbformat.from_dict(both["notebook"]), to_diffentry_dicts(both["diff"]))
    assert found["cells"][0]["source"] == "x = 2"


async def test_a_diff_goes_up_to_what_is_open(client: Client) -> None:
    """What stands in a browser is compared, not the file; trust, which no file tells, is not."""
    await client.put("a.ipynb", notebook("x = 1", "y"))
    book = notebook("x = 1", "y, and more")
    book["cells"][0]["metadata"] = {"trusted": True}
    body = {"path": "a.ipynb", "base": "head", "content": book}
    status, found = await client.rewind("POST", "diff", body=body)
    assert (status, found["differs"], found["remote"]) == (200, True, None)
    assert [each["key"] for each in found["diff"][0]["diff"]] == [1]
    assert found["notebook"]["cells"][1]["source"] == "y"
    assert len(await client.history("a.ipynb")) == 1


async def test_a_diff_goes_up_to_an_open_text(client: Client) -> None:
    """Of what is no notebook the lines are compared."""
    await client.put_text("a.py", "one\ntwo\n")
    body = {"path": "a.py", "base": "head", "content": "one\nthree\n"}
    found = (await client.rewind("POST", "diff", body=body))[1]
    assert "-two\n+three\n" in found["text"]


@pytest.mark.parametrize("content", [None, 7, [], {"cells": 5}, {"cells": None}])
async def test_a_diff_needs_something_open(client: Client, content: object) -> None:
    """What is neither a notebook nor a text is refused in words."""
    await client.put("a.ipynb", notebook("x = 1"))
    body = {"path": "a.ipynb", "base": "head", "content": content}
    assert (await client.rewind("POST", "diff", body=body))[0] == 400


async def test_labels_and_pins(client: Client) -> None:
    """A label is a ref from then on; both can be taken away again."""
    await client.put("a.ipynb", notebook("x = 1"))
    body = {"path": "a.ipynb", "ref": "head", "label": "before the talk"}
    _, labelled = await client.rewind("POST", "labels", body=body)
    assert labelled["labels"] == ["before the talk"]
    await client.put("a.ipynb", notebook("x = 2"))
    _, found = await client.rewind("GET", "checkpoint", path="a.ipynb", ref="before the talk")
    assert found["id"] == labelled["id"]
    params = {"path": "a.ipynb", "ref": found["id"]}
    assert (await client.rewind("DELETE", "labels", label="before the talk", **params))[1][
        "labels"
    ] == []
    assert (await client.rewind("POST", "pins", body=params))[1]["pinned"] is True
    assert (await client.rewind("DELETE", "pins", **params))[1]["pinned"] is False


async def test_a_checkpoint_with_a_label(client: Client) -> None:
    """Asking for a checkpoint with a name makes a manual one."""
    await client.put("a.ipynb", notebook("x = 1"))
    status, made = await client.rewind(
        "POST", "checkpoint", body={"path": "a.ipynb", "label": "good"}
    )
    assert status == 201
    assert (made["reason"], made["labels"]) == ("manual", ["good"])
    assert (await client.rewind("DELETE", "checkpoint", path="a.ipynb", ref=made["id"]))[0] == 409


async def test_undelete_by_history(client: Client) -> None:
    """The list of deleted files names the history that brings one back."""
    await client.put("a.ipynb", notebook("x = 1"))
    raw = client.file("a.ipynb").read_bytes()
    await client.delete("a.ipynb")
    _, answer = await client.rewind("GET", "deleted")
    (gone,) = answer["deleted"]
    status, answer = await client.rewind("POST", "undelete", body={"history": gone["history"]})
    assert (status, answer["path"]) == (200, "a.ipynb")
    assert client.file("a.ipynb").read_bytes() == raw
    assert (await client.rewind("GET", "deleted"))[1]["deleted"] == []


async def test_search_finds_which_checkpoint_had_it(client: Client) -> None:
    """A function that was deleted long ago is found with the checkpoint that had it."""
    await client.put("a.ipynb", notebook("def lost(): pass"))
    await client.put("a.ipynb", notebook("x = 1"))
    _, found = await client.rewind("GET", "search", path="a.ipynb", text="def lost")
    (hit,) = found["hits"]
    assert hit["first"]["id"] == (await client.history("a.ipynb"))[0]["id"]
    _, found = await client.rewind("GET", "search", path="a.ipynb", text=r"def \w+\(", regex="true")
    assert len(found["hits"]) == 1
    assert (await client.rewind("GET", "search", path="a.ipynb", text="(", regex="true"))[0] == 400


async def test_stats_and_health(client: Client) -> None:
    """Both answer, and health is well."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    status, stats = await client.rewind("GET", "stats")
    assert (status, stats["notebooks"], stats["elsewhere"]) == (200, None, None)
    outside = notebook("elsewhere")
    client.service.recorder.submit(
        lambda workspace: workspace.histories.record(
            "/elsewhere/b.ipynb", written(outside), reason=Reason.SAVE
        )
    ).result()
    _, stats = await client.rewind("GET", "stats", notebooks="true")
    [size] = stats["notebooks"]
    saved = client.file("a.ipynb").stat().st_size
    assert (size["path"], size["checkpoints"], size["saved_bytes"]) == ("a.ipynb", 1, saved)
    assert 0 < size["own_bytes"] + size["shared_bytes"] <= stats["bytes"]
    assert stats["elsewhere"] == 1
    _, health = await client.rewind("GET", "health")
    assert (health["state"], health["recorded"], health["failed"]) == ("ok", 1, 0)


@pytest.mark.parametrize(
    ("method", "noun", "options", "status"),
    [
        ("GET", "history", {}, 400),
        ("GET", "history", {"path": "nothing.ipynb"}, 404),
        ("GET", "history", {"path": "../../etc/passwd"}, 404),
        ("GET", "history", {"path": "a.ipynb", "limit": "-1"}, 400),
        ("GET", "checkpoint", {"path": "a.ipynb", "ref": "no such ref"}, 404),
        ("GET", "content", {"path": "a.ipynb", "ref": "head", "format": "xml"}, 400),
        ("POST", "restore", {"body": {"path": "a.ipynb"}}, 400),
        ("POST", "restore", {"body": {"path": "a.ipynb", "ref": "head", "cells": "c0"}}, 400),
        ("POST", "restore", {"body": {"path": "a.ipynb", "ref": "head", "state": "yes"}}, 400),
        ("POST", "restore", {"body": {"path": "a.ipynb", "ref": "head", "cells": ["zz"]}}, 404),
        ("POST", "labels", {"body": {"path": "a.ipynb", "ref": "head", "label": "head"}}, 400),
        ("POST", "undelete", {"body": {}}, 400),
        ("POST", "undelete", {"body": {"path": "a.ipynb"}}, 409),
        ("POST", "restore", {"body": []}, 400),
    ],
)
async def test_refusals_come_in_words(
    client: Client, method: str, noun: str, options: dict[str, Any], status: int
) -> None:
    """What makes no sense or is not there is refused with a code and a message."""
    await client.put("a.ipynb", notebook("x = 1"))
    answer = await client.rewind(method, noun, **options)
    assert answer[0] == status, answer
    assert answer[1]["code"]
    assert answer[1]["message"]


async def test_hidden_files_stay_hidden(client: Client) -> None:
    """The history of a file that Jupyter hides is not shown either."""
    client.file(".secret").mkdir()
    client.file(".secret/a.ipynb").write_bytes(written(notebook("x = 1")))
    assert (await client.rewind("GET", "history", path=".secret/a.ipynb"))[0] == 404


@pytest.mark.parametrize(
    ("noun", "method"),
    [(path.strip("/"), method) for path, methods in SPEC["paths"].items() for method in methods],
)
async def test_nobody_gets_in_without_a_token(
    jp_fetch: Any, client: Client, noun: str, method: str
) -> None:
    """Every address asks for a login."""
    from tornado.httpclient import HTTPClientError

    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(
            "rewind/api/v1",
            noun,
            method=method.upper(),
            headers={"Authorization": "token wrong"},
            allow_nonstandard_methods=True,
        )
    assert refused.value.code == 403
    if "application/json" in str(SPEC["paths"][f"/{noun}"][method]["responses"]["default"]):
        check(method, noun, 403, json.loads(refused.value.response.body))


async def test_reading_and_writing_are_authorised_apart(client: Client, monkeypatch: Any) -> None:
    """Who may only read contents may look at histories and not restore."""
    await client.put("a.ipynb", notebook("x = 1"))
    asked: list[tuple[str, str]] = []

    def is_authorized(handler: Any, user: Any, action: str, resource: str) -> bool:
        asked.append((action, resource))
        return action == "read"

    monkeypatch.setattr(client.server.authorizer, "is_authorized", is_authorized)
    assert (await client.rewind("GET", "history", path="a.ipynb"))[0] == 200
    body = {"path": "a.ipynb", "ref": "head"}
    assert (await client.rewind("POST", "restore", body=body))[0] == 403
    assert asked == [("read", "contents"), ("write", "contents")]


async def test_events_tell_of_checkpoints(client: Client) -> None:
    """Listeners of the server's events hear of what was created and restored."""
    heard: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.append(data)

    client.server.event_logger.add_listener(
        schema_id="https://schema.jupyter.org/jupyter_rewind/checkpoint/v1", listener=listen
    )
    await client.put("a.ipynb", notebook("x = 1"))
    await client.put("a.ipynb", notebook("x = 2"))
    first = (await client.history("a.ipynb"))[0]["id"]
    await client.restore("a.ipynb", first)
    await client.checkpoints("a.ipynb")
    assert [each["action"] for each in heard] == ["created", "created", "restored"]
    assert {each["path"] for each in heard} == {"a.ipynb"}
    assert all(re.fullmatch(r"[\w-]+", each["checkpoint"]) for each in heard)
