"""What `doctor` says of hosted kernels and process images."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_rewind.faces.cli.findings import Finding, State
from jupyter_rewind.faces.cli.hostcheck import check_hosting
from jupyter_rewind.kernels.hosting.rooms import room_problem
from jupyter_rewind.kernels.images.criu import find_criu
from jupyter_rewind.settings import Rewind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosted kernels need Linux")
# Without the rights to make namespaces, doctor names those first and does not come to CRIU.
needs_rooms = pytest.mark.skipif(
    bool(room_problem()), reason=f"namespaces cannot be made here: {room_problem()}"
)


def findings(**values: object) -> dict[str, Finding]:
    settings = Rewind()
    for name, value in values.items():
        setattr(settings, name, value)
    return {each.name: each for each in check_hosting(settings)}


def test_it_says_what_kernels_do_without_their_server() -> None:
    """Killed or stopped, by the settings."""
    assert findings()["kernel host"].state is State.OFF
    assert "stop when it is stopped" in findings(kernels_host=True)["kernel host"].text
    both = findings(kernels_host=True, kernels_outlive=True)["kernel host"]
    assert "go on when it is stopped" in both.text


def test_images_without_hosted_kernels_are_a_mistake() -> None:
    """The one command that mends it is named."""
    found = findings(kernels_images=True)["process images"]
    assert found.state is State.PROBLEM
    assert found.mend == "jupyter rewind config set kernels.host true"


def test_images_after_cells_without_images_are_a_mistake() -> None:
    """The one command that mends it is named; without the setting nothing is said."""
    assert "images after cells" not in findings()
    found = findings(kernels_auto_images=True)["images after cells"]
    assert found.state is State.PROBLEM
    assert found.mend == "jupyter rewind config set kernels.images true"
    both = findings(kernels_host=True, kernels_images=True, kernels_auto_images=True)
    assert both["images after cells"].state is State.ON


def test_templates_that_are_asked_for_in_vain_are_a_mistake() -> None:
    """The one command that mends it is named; without the setting nothing is said."""
    assert "templates" not in findings()
    alone = findings(kernels_templates=3)["templates"]
    assert (alone.state, alone.mend) == (
        State.PROBLEM, "jupyter rewind config set kernels.host true",
    )  # fmt: skip
    both = findings(kernels_templates=3, kernels_host=True, kernels_images=True)["templates"]
    assert (both.state, both.mend) == (
        State.PROBLEM, "jupyter rewind config set kernels.images false",
    )  # fmt: skip
    found = findings(kernels_templates=3, kernels_host=True)["templates"]
    assert found.state is State.ON and "last 3 cells" in found.text


@needs_rooms
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('[ "$1" = --version ] && echo "Version: 3.17.1"', "4.2 or later is needed"),
        (
            '[ "$1" = --version ] && echo "Version: 4.2.1" && exit\n'
            "echo 'Error (x.c:1): no ptrace here' >&2; exit 1",
            "no ptrace here",
        ),
        ("exit 3", "does not say its version"),
    ],
)
def test_a_criu_that_does_not_serve_is_a_problem_with_words(
    tmp_path: Path, script: str, words: str
) -> None:
    """Where the settings ask for images; else it is only told."""
    fake = tmp_path / "criu"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    chosen = {"kernels_criu": str(fake)}
    asked = findings(kernels_host=True, kernels_images=True, **chosen)["process images"]
    assert (asked.state, words in asked.text) == (State.PROBLEM, True)
    told = findings(**chosen)["process images"]
    assert (told.state, told.mend) == (State.NOTE, asked.mend)


@needs_rooms
def test_a_criu_that_is_not_there_is_a_problem_with_words(tmp_path: Path) -> None:
    """With the name that was looked for."""
    missing = str(tmp_path / "criu")
    found = findings(kernels_host=True, kernels_images=True, kernels_criu=missing)
    assert missing in found["process images"].text


@needs_rooms
def test_a_criu_that_is_mended_is_found_by_who_asked_before(tmp_path: Path) -> None:
    """A server need not be started anew when somebody has followed the words."""
    settings = Rewind()
    settings.kernels_criu = str(tmp_path / "criu")
    assert "there is no program" in find_criu(settings).problem
    fake = tmp_path / "criu"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Version: 3.17.1"\n')
    fake.chmod(0o755)
    assert "4.2 or later" in find_criu(settings).problem
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Version: 4.2.1"\nexit 0\n')
    assert "4.2 or later" not in find_criu(settings).problem


@needs_rooms
@pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="setpriv, which takes rights away, is missing"
)
def test_without_the_right_to_set_clocks_no_image_is_made(tmp_path: Path) -> None:
    """It could not come back, and the kernel that lives would have been ended for it."""
    fake = tmp_path / "criu"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Version: 4.2.1"\nexit 0\n')
    fake.chmod(0o755)
    source = (
        "from jupyter_rewind.settings import Rewind\n"
        "from jupyter_rewind.kernels.images.criu import find_criu\n"
        f"settings = Rewind(); settings.kernels_criu = {str(fake)!r}\n"
        "print(find_criu(settings).problem)"
    )
    for rights, expected in (("-sys_time", "CAP_SYS_TIME"), ("-net_raw", "")):
        command = ["setpriv", f"--bounding-set={rights}", "--inh-caps=-all", sys.executable]
        said = subprocess.check_output([*command, "-c", source], text=True).strip()
        assert expected in said and bool(said) == bool(expected), said
