"""Whatever is killed, full or dead in the middle: the kernel or its last good state is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_rewind.kernels.hosting.rooms import ask_keeper
from tests.support.imaged import NOTEBOOK, Imaged
from tests.support.kernels import Home, eventually

pytestmark = pytest.mark.images


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_criu_killed_in_the_middle_of_a_restore_leaves_the_kernel_as_it_was(
    imaged: Imaged, tmp_path: Path, fake: Callable[[str], dict[str, str]]
) -> None:
    """At one moment and another: what it was before comes back, and then the image does."""
    imaged.run("import os; block = os.urandom(48 << 20); x = 1")
    first = imaged.command("create", NOTEBOOK)["image"]["id"]
    killed = tmp_path / "killed"
    more = fake(
        f'if [ "$1" != restore ] || [ -e {killed} ]; then exec $CRIU "$@"; fi\n'
        f'touch {killed}; $CRIU "$@" & pid=$!; sleep 0.0$(cat {tmp_path}/moment)\n'
        "kill -9 $pid; wait $pid; exit 1"
    )
    for number, moment in enumerate(("1", "3", "6"), 2):
        imaged.run(f"x = {number}")
        (tmp_path / "moment").write_text(moment)
        told = json.dumps(imaged.command("restore", NOTEBOOK, first, status=7, **more))
        assert "The kernel is as it was" in told
        assert imaged.run("print(x)") == f"{number}\n"
        killed.unlink()
    imaged.command("restore", NOTEBOOK, first)
    assert imaged.run("print(x)") == "1\n"


def test_a_number_that_is_not_free_yet_is_waited_for(
    imaged: Imaged, tmp_path: Path, fake: Callable[[str], dict[str, str]]
) -> None:
    """Of a thread that has just ended: CRIU is asked again, and the kernel is there."""
    imaged.run("x = 1")
    first = imaged.command("create", NOTEBOOK)["image"]["id"]
    imaged.run("x = 2")
    times = tmp_path / "times"
    more = fake(
        f'[ "$1" = restore ] || exec $CRIU "$@"\necho >> {times}\n'
        f'[ "$(wc -l < {times})" -gt 2 ] && exec $CRIU "$@"\n'
        'while [ "$1" != --images-dir ]; do shift; done\n'
        'echo "pie: 1001: Error (criu/pie/restorer.c:1): Unable to create a thread: -17"'
        ' > "$2/restore.log"; exit 1'
    )
    imaged.command("restore", NOTEBOOK, first, **more)
    assert imaged.run("print(x)") == "1\n"


def test_what_a_new_keepers_kernel_comes_from_is_nobodys_leftover(
    imaged: Imaged, tmp_path: Path, fake: Callable[[str], dict[str, str]]
) -> None:
    """However long it takes to load: a keeper removes what nobody says he works with."""
    imaged.run("x = 1")
    first = imaged.command("create", NOTEBOOK)["image"]["id"]
    free = tmp_path / "free"
    more = fake(
        'if [ "$1" = restore ]; then all="$*"; while [ "$1" != --images-dir ]; do shift; done\n'
        f'flock -n "$2/../imaging" true && touch {free}; exec $CRIU $all; fi; exec $CRIU "$@"'
    )
    imaged.command("restore", NOTEBOOK, first, "--beside", **more)
    assert not free.exists()


def test_a_kernel_that_dies_right_after_the_restore_gives_way_to_what_was(
    imaged: Imaged, tmp_path: Path, fake: Callable[[str], dict[str, str]]
) -> None:
    """Where that dies as well, what it was is in the store, and the answer says how to go on."""
    imaged.run("x = 1")
    first = imaged.command("create", NOTEBOOK)["image"]["id"]
    imaged.run("x = 2")
    deaths = tmp_path / "deaths"
    more = fake(
        '[ "$1" = restore ] || exec $CRIU "$@"\n$CRIU "$@" || exit 1\n'
        f'[ "$(cat {deaths})" -gt 0 ] || exit 0\necho $(($(cat {deaths}) - 1)) > {deaths}\n'
        'while [ "$1" != --pidfile ]; do shift; done\nkill -9 "$(cat "$2")"'
    )
    deaths.write_text("1")
    told = json.dumps(imaged.command("restore", NOTEBOOK, first, status=7, **more))
    assert "ended or gave no sign of life" in told and "The kernel is as it was" in told
    assert imaged.run("print(x)") == "2\n"
    deaths.write_text("2")
    told = imaged.command("restore", NOTEBOOK, first, status=7, **more)["error"]
    kept = imaged.command("list", NOTEBOOK)["images"][0]["id"]
    assert f"image restore {imaged.home.notebook.parent / NOTEBOOK} {kept}" in told["hint"]
    imaged.command("restore", NOTEBOOK, kept)
    assert imaged.run("print(x)") == "2\n"


@pytest.mark.parametrize("words", [["create", NOTEBOOK, "--stop"], ["restore", NOTEBOOK]])
def test_a_command_that_is_killed_leaves_no_kernel_standing_still(
    imaged: Imaged, words: list[str]
) -> None:
    """The keeper sees that nobody waits any more; nothing of the memory lies about."""
    imaged.run("import os; block = os.urandom(96 << 20); x = 1")
    if words[0] == "restore":
        imaged.command("create", NOTEBOOK)
    command = imaged.begin("image", *words)
    eventually(lambda: [*imaged.place.folder.glob("image-*/stats-dump")], "it stands still")
    eventually(
        lambda: ask_keeper(imaged.place.folder, "status", {})["kernel"], "the image is written"
    )
    command.send_signal(signal.SIGKILL)
    command.wait()
    assert imaged.run("x += 1; print(x)") == "2\n"
    eventually(lambda: not [*imaged.place.folder.glob("image-*")], "nothing lies about")


@pytest.mark.parametrize("where", ["runtime", "data/rewind"])
def test_a_full_disk_leaves_the_kernel_running(
    home: Home, start: Callable[..., Imaged], where: str
) -> None:
    """While CRIU writes, and while the store does: one clear sentence, and no half of an image."""
    with small_disk(home.folder / where, "24m"):
        imaged = start()
        try:
            imaged.run("import os; block = os.urandom(64 << 20); x = 1")
            told = imaged.command("create", NOTEBOOK, status=6)["error"]
            assert "full" in told["message"], told
            assert imaged.run("x += 1; print(x)") == "2\n"
            assert imaged.command("list")["images"] == []
            assert [*imaged.place.folder.glob("image-*")] == []
        finally:
            imaged.server.stop()


def test_no_file_of_an_image_is_ever_readable_by_others(
    imaged: Imaged, tmp_path: Path, fake: Callable[[str], dict[str, str]]
) -> None:
    """From its first byte on: CRIU runs under a mask that leaves the owner alone."""
    modes = tmp_path / "modes"
    more = fake(
        f'[ "$1" = dump ] || exec $CRIU "$@"\numask > {modes}\n$CRIU "$@" || exit 1\n'
        f'while [ "$1" != --images-dir ]; do shift; done\nstat -c %a "$2" "$2"/* >> {modes}'
    )
    imaged.command("create", NOTEBOOK, **more)
    mask, folder, *files = modes.read_text().split()
    assert (int(mask, 8), folder) == (0o077, "700")
    assert len(files) > 10 and set(files) == {"600"}
    assert os.stat(imaged.place.folder.parent).st_mode & 0o077 == 0
