"""JuSnap's interface and its images after each cell, with the real CRIU."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest

from tests.support.imaged import NOTEBOOK, Imaged
from tests.support.kernels import eventually
from tests.support.ports import free_port

pytestmark = pytest.mark.images
Start = Callable[..., Imaged]
API = "--Rewind.jusnap_api=True"


def refusal(imaged: Imaged, *words: Any) -> tuple[int, dict[str, Any]]:
    """The status and the body of an answer that is no success."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        imaged.server.ask(*words)
    return caught.value.code, json.loads(caught.value.read())


def test_a_program_for_jusnap_makes_lists_restores_and_clears(start: Start) -> None:
    """Its four addresses answer as JuSnap did, with its cooldown, and only with the token."""
    port = free_port()
    imaged = start(
        "python3", API, "--Rewind.kernels_image_cooldown_seconds=600",
        f"--Rewind.jusnap_http_port={port}",
    )  # fmt: skip
    ask = imaged.server.ask
    assert ask("GET", "api/snap") == {"snapshots": []}
    imaged.run("x = 1")
    made = ask("POST", "api/snap/new", {})
    assert made["status"] == "snapshotted"
    assert datetime.fromisoformat(made["date"]).tzinfo is not None
    assert ask("POST", "api/snap/new", {}) == {**made, "status": "skipped"}
    imaged.run("x = 2")
    assert ask("POST", "api/snap/restore", {"id": made["id"]}) == {**made, "status": "restored"}
    assert imaged.run("print(x)") == "1\n"
    listed = {"snapshots": [{"date": made["date"], "id": made["id"]}]}
    assert ask("GET", "api/snap") == listed
    assert ask("GET", f"api/snap?kernel={imaged.kernel}") == listed
    status, told = refusal(imaged, "POST", "api/snap/restore", {"id": "1666666666"})
    assert (status, told["message"]) == (404, "Snapshot 1666666666 not found.")
    for path in ("api/snap", "api/snap/new"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=60)
        assert caught.value.code in (401, 403, 405)
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/snap")
    request.add_header("Authorization", "token secret")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.loads(answer.read()) == listed
    assert ask("DELETE", "api/snap/clear") == {"status": "cleared", "kept": 0}
    assert ask("GET", "api/snap") == {"snapshots": []}
    assert imaged.run("print(x)") == "1\n"
    body = {"path": "b.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    other = ask("POST", "api/sessions", body)["kernel"]["id"]
    status, told = refusal(imaged, "POST", "api/snap/new", {})
    assert status == 409 and other in told["message"] and "?kernel=" in told["hint"]
    assert ask("POST", f"api/snap/new?kernel={other}", {})["status"] == "snapshotted"


def test_what_takes_longer_than_the_limit_goes_on_and_says_so(start: Start) -> None:
    """The answer comes in time, the image is made all the same."""
    imaged = start("python3", API, "--Rewind.jusnap_write_timeout_seconds=1")
    imaged.run("import os; block = os.urandom(600 << 20)")
    status, told = refusal(imaged, "POST", "api/snap/new", {})
    assert (status, told["code"]) == (503, "going_on")

    def is_made() -> bool:
        try:
            return bool(imaged.server.ask("GET", "api/snap")["snapshots"])
        except urllib.error.HTTPError:
            return False  # the list, too, waits for a thread while the machine is loaded

    eventually(is_made, "the image is made")
    assert imaged.run("print(len(block))") == f"{600 << 20}\n"


def config(imaged: Imaged, *words: str) -> None:
    """`jupyter rewind config`, as the user types it."""
    command = [sys.executable, "-m", "jupyter_rewind.faces.cli.app", "config", *words]
    subprocess.run(command, env=imaged.home.environment, check=True, capture_output=True)


def test_one_command_turns_images_after_each_cell_on_and_off(start: Start) -> None:
    """While the server runs; the last state is kept though the cooldown skips cells between."""
    imaged = start("python3", "--Rewind.kernels_image_cooldown_seconds=3")

    def made() -> list[dict[str, Any]]:
        found = imaged.server.ask("GET", f"rewind/api/v1/kernels/{imaged.kernel}/images")
        return [each for each in found["images"] if each["reason"] == "after a cell"]

    imaged.run("n = 0")
    config(imaged, "set", "kernels.auto_images", "true")
    imaged.run("n = 1")
    eventually(lambda: len(made()) == 1, "the image after the cell")
    for number in range(2, 6):
        imaged.run(f"n = {number}")
    eventually(lambda: len(made()) >= 2, "the image when the cooldown is over")
    config(imaged, "set", "kernels.auto_images", "false")
    imaged.run("n = 'lost'")

    def has_last() -> bool:
        imaged.command("restore", NOTEBOOK, made()[-1]["id"])
        return imaged.run("print(n)") == "5\n"

    # One that was being made when it was turned off is still to come on a busy machine.
    eventually(has_last, "the last state is in the newest image")
    before = len(made())
    imaged.run("n = 'lost as well'")
    time.sleep(4)  # longer than the cooldown
    assert len(made()) == before


def test_history_travels_with_images_unless_that_is_off(imaged: Imaged) -> None:
    """JuSnap's history_enabled: off, a restore adds nothing to IPython's history; on, what it
    lacks by then."""
    file = imaged.run("print(get_ipython().history_manager.hist_file)").strip()
    imaged.run("treasure = 1")

    def lines() -> int:
        with closing(sqlite3.connect(file)) as base:
            question = "SELECT count(*) FROM history WHERE source = 'treasure = 1'"
            return int(base.execute(question).fetchone()[0])

    eventually(lambda: lines() == 1, "IPython has written the line")
    off = {"JUPYTER_REWIND_KERNELS_IMAGE_HISTORY": "false"}
    without = imaged.command("create", NOTEBOOK, **off)["image"]["id"]
    whole = imaged.command("create", NOTEBOOK)["image"]["id"]
    with closing(sqlite3.connect(file, timeout=60)) as base, base:
        for table in ("history", "output_history", "sessions"):
            base.execute(f"DELETE FROM {table}")
    imaged.command("restore", NOTEBOOK, without)
    assert (lines(), imaged.run("print(treasure)")) == (0, "1\n")
    imaged.command("restore", NOTEBOOK, whole)
    assert (lines(), imaged.run("print(treasure)")) == (1, "1\n")
