"""States of variables in kernels that images are made of go on in every life of the kernel."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.imaged import NOTEBOOK, Imaged, run_in
from tests.support.kernels import eventually

pytestmark = pytest.mark.images


def cells(imaged: Imaged, *sources: str) -> None:
    for source in sources:
        assert imaged.run(source) == ""


def test_states_go_on_after_an_image_came_back(imaged: Imaged) -> None:
    """Those from before the image, those that came after it, and those of the second life, also
    after another image; the journal goes on, too."""
    cells(imaged, "x = 'one'", "x = 'two'; y = [x]")
    imaged.command("create", NOTEBOOK, "--label", "two")
    cells(imaged, "x = 'lost'")
    done = imaged.command("restore", NOTEBOOK, "two")
    imaged.command("restore", NOTEBOOK, done["kept"]["id"])
    assert imaged.run("print(x)") == "lost\n"
    imaged.command("restore", NOTEBOOK, "two")
    assert imaged.run("print(x)") == "two\n"
    cells(imaged, "x = 'second life'")
    listed = imaged.run("%rewind history")
    assert all(word in listed for word in ("'one'", "'lost'", "'second life'")), listed
    imaged.run("%rewind to 1")
    assert imaged.run("print(x, 'y' in globals())") == "one False\n"
    imaged.run("%rewind undo")
    assert imaged.run("print(x, y)") == "second life ['two']\n"
    imaged.rewind("verify")


def test_states_go_on_in_a_kernel_that_was_killed_and_revived(
    start: Callable[..., Imaged],
) -> None:
    imaged = start()
    cells(imaged, "x = 'one'", "x = 'two'")
    imaged.command("create", NOTEBOOK)
    hosted = imaged.place.read()
    assert hosted is not None
    imaged.server.stop(signal.SIGKILL)
    os.kill(hosted.process.pid, signal.SIGKILL)
    eventually(lambda: not hosted.is_alive, "the kernel is gone")
    imaged.command("restore", NOTEBOOK)
    cells(imaged, "x = 'three'")
    imaged.run("%rewind to 1")
    assert imaged.run("print(x)") == "one\n"


def test_a_second_kernel_keeps_states_of_its_own(imaged: Imaged) -> None:
    """Neither writes where the other one does."""
    cells(imaged, "x = 'one'")
    imaged.command("create", NOTEBOOK)
    connection = Path(imaged.command("restore", NOTEBOOK, "--beside")["connection"])
    run_in(connection, "x = 'other'")
    cells(imaged, "x = 'two'")
    run_in(connection, "x = 'another'")
    run_in(connection, "%rewind to 2")
    assert run_in(connection, "print(x)") == "other\n"
    imaged.run("%rewind to 1")
    assert imaged.run("print(x)") == "one\n"
    imaged.rewind("verify")


def test_a_second_image_costs_what_changed(imaged: Imaged) -> None:
    """What keeping states takes of memory on the way into the store is not in it."""
    cells(
        imaged,
        "import random; parts = [bytearray(random.randbytes(1 << 20)) for _ in range(150)]",
    )
    first = imaged.command("create", NOTEBOOK)["image"]
    time.sleep(1.5)  # the state of so much is kept while the kernel is idle
    cells(imaged, "parts[7][:] = random.randbytes(1 << 20)")
    second = imaged.command("create", NOTEBOOK)["image"]
    assert second["new_bytes"] < 0.03 * first["new_bytes"]
    cells(imaged, "parts = None")
    imaged.run("%rewind to 2")
    assert imaged.run("print(len(parts))") == "150\n"
