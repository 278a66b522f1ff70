"""`--json`: every command's answer fits the schema that comes with the package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from jupyter_rewind.faces.cli import answers, app
from tests.faces.cli.conftest import Rewind
from tests.support.histories import make_history

SCHEMA = Path(app.__file__).with_name("output.schema.json")

LINES: dict[str, Sequence[str]] = {
    "history": ["history", "BOOK"],
    "show": ["show", "BOOK", "head~1"],
    "diff": ["diff", "BOOK", "head~1"],
    "search": ["search", "BOOK", "print"],
    "deleted": ["deleted"],
    "traces": ["traces", "BOOK"],
    "recover": ["recover", "BOOK", "--output", "new.ipynb"],
    "sessions": ["sessions"],
    "grep": ["grep", "x ="],
    "kernels": ["kernels"],
    "enable": ["enable"],
    "image": ["image", "list"],
    "disable": ["disable"],
    "checkpoint": ["checkpoint", "BOOK", "--label", "good one"],
    "restore": ["restore", "BOOK", "head~1"],
    "undelete": ["undelete", "GONE"],
    "label": ["label", "BOOK", "head", "good"],
    "unlabel": ["unlabel", "BOOK", "named", "named"],
    "pin": ["pin", "BOOK"],
    "unpin": ["unpin", "BOOK"],
    "verify": ["verify", "--read-data"],
    "salvage": ["salvage", "--into", "SALVAGED"],
    "expire": ["expire"],
    "collect": ["collect"],
    "stats": ["stats"],
    "replica": ["replica"],
    "key": ["key", "export", "KEYFILE"],
    "export": ["export", "BOOK", "EXPORTED"],
    "import": ["import", "again.ipynb", "EXPORTED"],
    "config": ["config"],
    "doctor": ["doctor"],
}


@cache
def validator() -> jsonschema.Draft202012Validator:
    """Checks documents against the schema."""
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check(text: str) -> dict[str, Any]:
    """The one document in `text`, which fits the schema."""
    [line] = text.splitlines()
    document = json.loads(line)
    validator().validate(document)
    return document


@pytest.mark.parametrize("name", LINES)
def test_answers_fit_the_schema(name: str, book: Path, work: Path, rewind: Rewind) -> None:
    """A program can rely on every name in every answer."""
    gone = work / "gone.ipynb"
    gone.write_bytes(book.read_bytes()[:-2] + b" }\n")
    assert rewind("checkpoint", gone).status == 0
    gone.unlink()
    assert rewind("label", book, "head~1", "named").status == 0
    make_history(work.parent / ".ipython/profile_default/history.sqlite", [["x = 3\nprint(x)"]])
    if name == "import":
        assert rewind("export", book, work / "exported").status == 0
    places = {
        "BOOK": book,
        "GONE": gone,
        "EXPORTED": work / "exported",
        "SALVAGED": work / "new",
        "KEYFILE": work / "key.txt",
    }
    ended = rewind(*[places.get(word, word) for word in LINES[name]], "--json")
    assert ended.status == 0, ended.err
    document = check(ended.out)
    assert (document["command"], document["schema"]) == (name, answers.SCHEMA)
    assert ended.err == ""


def test_settings_changes_fit_the_schema(rewind: Rewind) -> None:
    """So do the other forms of config."""
    for words in (["get", "store.path"], ["set", "retention.hourly", "5"], ["unset", "store.path"]):
        check(rewind("config", *words, "--json").out)


def test_other_forms_of_recover_fit_the_schema(book: Path, work: Path, rewind: Rewind) -> None:
    """So do its answers on a folder, on all in it, and on a notebook that is whole."""
    assert check(rewind("recover", "--json").out)["data"]["notebooks"]
    gone = work / ".ipynb_checkpoints" / "gone-checkpoint.ipynb"
    gone.parent.mkdir()
    gone.write_bytes(book.read_bytes())
    [done] = check(rewind("recover", "--all", "--json").out)["data"]["recovered"]
    assert done["path"] == str(work / "gone.recovered.ipynb")
    assert check(rewind("recover", book, "--json").out)["data"]["path"] is None


def test_errors_fit_the_schema(home: Path, rewind: Rewind) -> None:
    """A failure is a document too, on the other stream."""
    for words in (["history", "no.ipynb"], ["config", "get", "x"], ["nothing"]):
        ended = rewind(*words, "--json")
        assert ended.out == ""
        assert "error" in check(ended.err)


def test_the_schema_knows_every_command() -> None:
    """No command's answer is left undescribed."""
    known = json.loads(SCHEMA.read_text())["$defs"]["commands"]["enum"]
    assert sorted(known) == sorted(each.name for each in app.build().registered_commands)
    # `watch` and `serve` never end; two need a kernel: test_kernels.py holds theirs; one needs a
    # replica, in test_replica.py; and one needs a database, in test_catalogue.py.
    elsewhere = {"watch", "serve", "snapshots", "resume", "pull", "catalogue"}
    assert set(known) - elsewhere == set(LINES)
