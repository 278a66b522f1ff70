"""Names that CRIU gives to files for the time of an image: nobody's are in the way of another's."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.imaged import NOTEBOOK, Imaged, run_in
from tests.support.kernels import eventually

pytestmark = pytest.mark.images
Fake = Callable[[str], dict[str, str]]
MEMORY = Path("/dev/shm")
PARALLEL = """
from joblib import Parallel, delayed
def work(): return Parallel(2)(delayed(abs)(each) for each in (-1, -2))
x = 1; work()
"""


@pytest.fixture
def left() -> Iterator[Callable[[], set[Path]]]:
    """The names for CRIU that lie there now, and did not before."""
    before = {*MEMORY.glob("link_remap.*")}
    found = lambda: {*MEMORY.glob("link_remap.*")} - before  # noqa: E731
    yield found
    for each in found():
        each.unlink()


def another(imaged: Imaged) -> str:
    """Another kernel of the same server whose cells ran in parallel, by its id."""
    imaged.server.put("other.ipynb", "1")
    body = {"path": "other.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    kernel = str(imaged.server.ask("POST", "api/sessions", body)["kernel"]["id"])
    run_in(imaged.connection.with_name(f"kernel-{kernel}.json"), PARALLEL)
    return kernel


def test_an_image_that_fails_leaves_no_name_behind(
    imaged: Imaged, fake: Fake, left: Callable[[], set[Path]]
) -> None:
    """Also where CRIU is killed after it has given them."""
    imaged.run(PARALLEL)
    more = fake('[ "$1" = dump ] || exec $CRIU "$@"\n$CRIU "$@"; exit 1')
    imaged.command("create", NOTEBOOK, status=6, **more)
    assert not left()
    assert imaged.run("print(x, work())") == "1 [1, 2]\n"


def test_what_somebody_left_who_was_killed_is_in_nobodys_way(
    imaged: Imaged, tmp_path: Path, fake: Fake, left: Callable[[], set[Path]]
) -> None:
    """The image of another kernel that needs the same names is made, and takes them away; the end
    of the kernel does so as well."""
    imaged.run(PARALLEL)
    other = another(imaged)
    given = tmp_path / "given"
    more = fake(
        f'[ "$1" = dump ] || exec $CRIU "$@"\n$CRIU "$@"; touch {given}\n'
        f"while [ -e {given} ]; do sleep 0.1; done"
    )
    for _ in range(2):
        command = imaged.begin("image", "create", NOTEBOOK, **more)
        eventually(given.exists, "the names are given")
        command.send_signal(signal.SIGKILL)
        command.wait()
        given.unlink()
        assert left()
        if other:
            imaged.command("create", other)
            other = ""
            assert not left()
    assert imaged.run("print(x, work())") == "1 [1, 2]\n"
    imaged.server.ask("DELETE", f"api/sessions/{imaged.session['id']}")
    eventually(lambda: not left(), "nothing is left of it")


def test_images_of_two_kernels_that_need_the_same_names_are_made_one_after_the_other(
    imaged: Imaged, tmp_path: Path, fake: Fake, left: Callable[[], set[Path]]
) -> None:
    """However long the first takes; the second kernel goes on until then."""
    imaged.run(PARALLEL)
    other = another(imaged)
    given = tmp_path / "given"
    more = fake(f'[ "$1" = dump ] || exec $CRIU "$@"\n$CRIU "$@"; touch {given}; sleep 8')
    command = imaged.begin("image", "create", NOTEBOOK, **more)
    eventually(given.exists, "the first stands still")
    imaged.command("create", other)
    assert command.wait() == 0
    assert not left()
