"""`/rewind/api/v1/recover`: what is left of notebooks, a look at it, and bringing it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from openapi_schema_validator import OAS31Validator

from tests.faces.server.support import Client, notebook, written
from tests.faces.server.test_rest import SPEC
from tests.support.histories import make_history


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, with what IPython kept in it."""
    home = tmp_path / "home"
    make_history(home / ".ipython/profile_default/history.sqlite", [["x = 1", "y = f(x)"]])
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def lost(client: Client) -> str:
    """A notebook that is gone; Jupyter's own checkpoint of it is left."""
    kept = client.root / "deep" / ".ipynb_checkpoints" / "lost-checkpoint.ipynb"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(written(notebook("x = 1", "y = f(x)")))
    return "deep/lost.ipynb"


async def ask(client: Client, method: str, noun: str, **more: Any) -> tuple[int, Any]:
    """The answer, held against the description."""
    status, answer = await client.rewind(method, noun, **more)
    responses = SPEC["paths"][f"/{noun}"][method.lower()]["responses"]
    response = responses.get(str(status))
    if response is None:
        assert status >= 400
        response = SPEC["components"]["responses"]["Failure"]
    schema = response["content"]["application/json"]["schema"]
    OAS31Validator({**schema, "components": SPEC["components"]}).validate(answer)
    return status, answer


async def test_what_is_left_is_found(client: Client, lost: str) -> None:
    """The front end can list what can be brought back in a folder, and of one notebook."""
    (client.root / "deep" / "fine.ipynb").write_bytes(written(notebook("z")))
    status, found = await ask(client, "GET", "recover")
    assert status == 200
    told = {each["path"]: (each["state"], each["can_gain"]) for each in found["notebooks"]}
    assert told == {"deep/lost.ipynb": ("missing", True), "deep/fine.ipynb": ("whole", False)}
    assert "history" in {each["kind"] for each in found["loose"]}
    _, one = await ask(client, "GET", "recover", path=lost)
    [standing] = one["notebooks"]
    assert [each["kind"] for each in standing["traces"]] == ["checkpoint"]
    assert len(one["places"]) > 5


async def test_a_preview_writes_nothing(client: Client, lost: str) -> None:
    """You see what would come back, and a page that tells where from, before it is written."""
    before = sorted(client.root.rglob("*"))
    status, seen = await ask(client, "POST", "recover/preview", body={"path": lost})
    assert status == 200
    assert ["".join(each["source"]) for each in seen["notebook"]["cells"]] == ["x = 1", "y = f(x)"]
    assert seen["report"]["notebook"] == lost
    assert seen["report"]["cells"] == 2
    assert "<script" not in seen["page"]
    assert sorted(client.root.rglob("*")) == before


async def test_a_notebook_is_brought_back_as_a_new_file(client: Client, lost: str) -> None:
    """It lies beside the lost one; a second time it gets a second name."""
    for name in ("deep/lost.recovered.ipynb", "deep/lost.recovered-2.ipynb"):
        status, done = await ask(client, "POST", "recover", body={"path": lost})
        assert (status, done["path"]) == (201, name)
        assert len(json.loads(client.file(name).read_bytes())["cells"]) == 2
    body = {"path": lost, "output": "chosen.ipynb"}
    assert (await ask(client, "POST", "recover", body=body))[1]["path"] == "chosen.ipynb"
    status, refused = await ask(client, "POST", "recover", body=body)
    assert (status, refused["code"]) == (409, "conflict")
    assert "Name another file with `output`" in refused["hint"]


async def test_what_cannot_be_is_refused_in_words(client: Client, lost: str) -> None:
    """Nothing found, no notebook, paths outside, times and sessions that are none."""
    for body, expected in (
        ({"path": "never/was.ipynb", "until": "1971-01-01", "sessions": [99]}, 404),
        ({"path": "deep"}, 400),
        ({"path": "../../etc/passwd.ipynb"}, 404),
        ({"path": lost, "until": "whenever"}, 400),
        ({"path": lost, "sessions": ["1"]}, 400),
        ({"path": lost, "output": "../out.ipynb"}, 404),
        ({}, 400),
    ):
        status, answer = await ask(client, "POST", "recover", body=body)
        assert status == expected, (body, answer)
    assert not list(client.root.rglob("*.recovered*"))


class ReadersOnly(Authorizer):
    """Everybody may look at files, nobody at what kernels run."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource == "contents" and action == "read"


class NoWriters(Authorizer):
    """Kernels may be started, files not be written."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource == "kernels"


async def test_what_kernels_ran_is_not_for_everybody(
    client: Client, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may only read files sees nothing of the history; who may not write files writes none."""
    settings = client.server.web_app.settings
    monkeypatch.setitem(settings, "authorizer", ReadersOnly())
    body = {"path": lost}
    assert (await ask(client, "GET", "recover", path=lost))[0] == 403
    assert (await ask(client, "POST", "recover/preview", body=body))[0] == 403
    monkeypatch.setitem(settings, "authorizer", NoWriters())
    assert (await ask(client, "POST", "recover/preview", body=body))[0] == 200
    assert (await ask(client, "POST", "recover", body=body))[0] == 403
    assert not list(client.root.rglob("*.recovered*"))
