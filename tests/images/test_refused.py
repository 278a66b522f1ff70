"""Images that cannot be made or restored: the kernel goes on as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.criu import require_criu
from tests.support.imaged import NOTEBOOK, Imaged

pytestmark = pytest.mark.images


def test_an_image_whose_files_have_changed_is_refused_before_the_kernel_is_touched(
    imaged: Imaged,
) -> None:
    """It would write over what came after; the kernel goes on as it is."""
    imaged.run("file = open('out.txt', 'w'); file.write('one'); file.flush(); x = 1")
    imaged.command("create", NOTEBOOK)
    imaged.run("file.write('two'); file.flush(); x = 2")
    told = json.dumps(imaged.command("restore", NOTEBOOK, status=7))
    assert "out.txt has changed since" in told and "not touched" in told
    assert imaged.run("print(x)") == "2\n"
    assert (imaged.home.notebook.parent / "out.txt").read_text() == "onetwo"


@pytest.mark.parametrize("kind", ["in place", "with a cursor"])
def test_what_was_overwritten_since_is_not_damaged(
    imaged: Imaged, tmp_path: Path, kind: str
) -> None:
    """A file as large as before; a database of which SQLite remembers pages, for it was being read.
    Once nothing of it is open, the same database stands in nobody's way."""
    path = tmp_path / "measured"
    imaged.run(
        "import sqlite3\n"
        f"base = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
        "base.execute('create table t (a)'); add = 'insert into t values (?)'\n"
        "_ = base.executemany(add, [('x' * 200,)] * 500); cursor = base.execute('select * from t')"
        if kind == "with a cursor"
        else f"file = open({str(path)!r}, 'w+b', buffering=0); _ = file.write(b'old')"
    )
    imaged.run("first = next(cursor)" if kind == "with a cursor" else "pass")
    imaged.command("create", NOTEBOOK)
    imaged.run(
        "cursor.close(); _ = base.executemany(add, [('y' * 300,)] * 500); x = 2"
        if kind == "with a cursor"
        else "_ = file.seek(0), file.write(b'new'); x = 2"
    )
    told = json.dumps(imaged.command("restore", NOTEBOOK, status=7))
    assert "measured has changed since" in told and "not touched" in told
    assert imaged.run("print(x)") == "2\n"
    if kind == "with a cursor":
        imaged.command("create", NOTEBOOK)
        imaged.run("_ = base.execute(add, ('z',)); x = 3")
        imaged.command("restore", NOTEBOOK)
        imaged.run("_ = base.execute(add, ('z' * 900,))")
        found = "base.execute('pragma integrity_check').fetchall()"
        assert imaged.run(f"print(x, {found})") == "2 [('ok',)]\n"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc, which makes libraries, is missing")
@pytest.mark.parametrize("flag", ["-Wl,--build-id", "-Wl,--build-id=none"])
def test_a_library_that_was_replaced_is_seen_before_the_kernel_is_touched(
    imaged: Imaged, tmp_path: Path, flag: str
) -> None:
    """By one of the same size, too, and whether its linker gave it a name or not; put back, it is
    the one of before."""
    library = tmp_path / "libone.so"

    def build(number: int) -> None:
        source, made = tmp_path / "one.c", tmp_path / "made.so"
        source.write_text(f"int one(void) {{ return {number}; }}\n")
        command = ["gcc", "-shared", "-fPIC", flag, "-o", str(made), str(source)]
        subprocess.run(command, check=True)
        made.rename(library)

    build(1)
    size = library.stat().st_size
    imaged.run(f"import ctypes; one = ctypes.CDLL({str(library)!r}).one; x = 1")
    imaged.command("create", NOTEBOOK)
    imaged.run("x = 2")
    build(2)
    assert library.stat().st_size == size
    told = json.dumps(imaged.command("restore", NOTEBOOK, status=7))
    assert "libone.so" in told and "another version" in told and "not touched" in told
    assert imaged.run("print(x, one())") == "2 1\n"
    assert len(imaged.command("list")["images"]) == 1
    build(1)
    imaged.command("restore", NOTEBOOK)
    assert imaged.run("print(x, one())") == "1 1\n"
    imaged.command("create", NOTEBOOK, "--stop")
    build(2)
    told = json.dumps(imaged.command("restore", NOTEBOOK, status=7))
    assert "another version" in told and "Nothing was changed" in told and "running" not in told
    build(1)
    imaged.command("restore", NOTEBOOK)
    assert imaged.run("print(x, one())") == "1 1\n"


def test_a_kernel_goes_on_where_criu_cannot_take_it(imaged: Imaged, tmp_path: Path) -> None:
    """One clear sentence; nothing is stored."""
    fake = tmp_path / "criu"
    fake.write_text(
        '#!/bin/sh\ncase "$1" in\n--version) echo "Version: 4.2.1";;\ncheck) exit 0;;\n'
        'dump) while [ "$1" != --images-dir ]; do shift; done\n'
        'echo "(00.1) Error (criu/x.c:1): Unknown anon inode: io_uring" > "$2/dump.log"; exit 1;;\n'
        "esac\n"
    )
    fake.chmod(0o755)
    imaged.run("x = 1")
    more = {"JUPYTER_REWIND_KERNELS_CRIU": str(fake)}
    told = json.dumps(imaged.command("create", NOTEBOOK, status=6, **more))
    assert "it uses io_uring" in told and "goes on as before" in told
    assert imaged.run("print(x)") == "1\n"
    assert imaged.command("list")["images"] == []


def test_a_kernel_that_has_a_device_open_goes_on(imaged: Imaged) -> None:
    """As with a graphics card: one clear sentence, and nothing is stored; without it, all is
    well."""
    names = ("/dev/loop-control", "/dev/kvm", "/dev/fuse", "/dev/hwrng")
    device = next((name for name in names if os.access(name, os.R_OK)), None)
    if device is None:
        pytest.skip(f"none of the devices {', '.join(names)} may be read here")
    imaged.run(f"import os; file = os.open({device!r}, os.O_RDONLY); x = 1")
    told = json.dumps(imaged.command("create", NOTEBOOK, status=6))
    assert "uses a device" in told and "graphics card" in told and "goes on as before" in told
    assert imaged.run("print(x); os.close(file)") == "1\n"
    assert imaged.command("list")["images"] == []
    imaged.command("create", NOTEBOOK)


def test_a_kernel_that_would_not_survive_its_image_is_left_alone(imaged: Imaged) -> None:
    """What is built on xeus is known by what it has in memory, and refused before it is touched."""
    imaged.command("create", NOTEBOOK)
    imaged.run(
        "import mmap; file = open('libxeus.so.9', 'w+b'); file.write(b'x'); file.flush()\n"
        "code = mmap.mmap(file.fileno(), 1, mmap.MAP_PRIVATE); x = 1"
    )
    for words in (["create", NOTEBOOK], ["create", NOTEBOOK, "--stop"], ["restore", NOTEBOOK]):
        told = json.dumps(imaged.command(*words, status=4))
        assert "built on xeus" in told and "goes on untouched" in told
    assert imaged.run("print(x)") == "1\n"
    assert len(imaged.command("list")["images"]) == 1


def test_a_restore_that_fails_leaves_the_kernel_as_it_was(imaged: Imaged, tmp_path: Path) -> None:
    """Its own image, made just before, comes back instead."""
    imaged.run("x = 1")
    imaged.command("create", NOTEBOOK)
    imaged.run("x = 2")
    criu = require_criu().path
    flag = tmp_path / "failed once"
    fake = tmp_path / "criu"
    fake.write_text(
        f'#!/bin/sh\nif [ "$1" = restore ] && [ ! -e "{flag}" ]; then touch "{flag}"; exit 1; fi\n'
        f'exec {criu} "$@"\n'
    )
    fake.chmod(0o755)
    more = {"JUPYTER_REWIND_KERNELS_CRIU": str(fake)}
    told = json.dumps(imaged.command("restore", NOTEBOOK, "head", status=7, **more))
    assert flag.exists() and "as it was" in told
    assert imaged.run("print(x)") == "2\n"


def test_an_old_criu_gives_one_clear_sentence(imaged: Imaged, tmp_path: Path) -> None:
    """It is not tried, and the kernel is not touched."""
    fake = tmp_path / "criu"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Version: 3.17.1"\n')
    fake.chmod(0o755)
    more = {"JUPYTER_REWIND_KERNELS_CRIU": str(fake)}
    told = json.dumps(imaged.command("create", NOTEBOOK, status=6, **more))
    assert "CRIU 3.17.1" in told and "4.2 or later" in told
    assert imaged.run("print(1)") == "1\n"


def test_a_garbled_image_is_found_before_criu_sees_it(imaged: Imaged) -> None:
    """Its tags do not fit; the kernel is not touched."""
    imaged.run("import os; block = os.urandom(8 << 20); x = 1")
    imaged.command("create", NOTEBOOK)
    imaged.run("x = 2")
    segments = imaged.home.folder / "data" / "rewind" / "segments"
    largest = max(segments.rglob("*"), key=lambda path: path.stat().st_size)
    with largest.open("r+b") as file:
        middle = largest.stat().st_size // 2
        file.seek(middle)
        found = file.read(64)
        file.seek(middle)
        file.write(bytes(each ^ 255 for each in found))
    told = json.dumps(imaged.command("restore", NOTEBOOK, status=5))
    assert "damaged" in told
    assert imaged.run("print(x)") == "2\n"


def test_criu_killed_in_the_middle_leaves_the_kernel_running(
    imaged: Imaged, tmp_path: Path
) -> None:
    """Of the dump, five times over; the next image is whole."""
    imaged.run("import os; block = os.urandom(64 << 20); x = 1")
    criu = require_criu().path
    fake = tmp_path / "criu"
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = dump ] || exec {criu} "$@"\n'
        f'{criu} "$@" & pid=$!; sleep 0.0$(( $(cat {tmp_path}/count) * 3 )); kill -9 $pid\n'
        "wait $pid; exit 1\n"
    )
    fake.chmod(0o755)
    for number in range(1, 6):
        (tmp_path / "count").write_text(str(number))
        more = {"JUPYTER_REWIND_KERNELS_CRIU": str(fake)}
        imaged.command("create", NOTEBOOK, status=6, **more)
        assert imaged.run("print(x)") == "1\n"
    imaged.command("create", NOTEBOOK)
    imaged.run("x = 2")
    imaged.command("restore", NOTEBOOK, "head")
    assert imaged.run("print(x)") == "1\n"


def test_only_the_owner_reads_what_lies_about_of_an_image(imaged: Imaged) -> None:
    """The folder of a kernel, the socket of its keeper and the store are for the owner alone."""
    imaged.run("secret = 'x' * 100")
    imaged.command("create", NOTEBOOK)
    store = imaged.home.folder / "data" / "rewind"
    for path in (imaged.place.folder, store):
        assert path.stat().st_mode & 0o077 == 0, path
    assert imaged.place.control.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in imaged.place.folder.glob("image-*")] == []


def test_a_large_deleted_file_is_named_and_goes_in_where_the_limit_allows(imaged: Imaged) -> None:
    """Beyond it the kernel goes on, and the words name the setting; within it, it is whole."""
    imaged.run(
        "import os; file = open('large.bin', 'w+b'); file.write(os.urandom(3 << 20));"
        " file.flush(); os.unlink('large.bin')"
    )
    small = {"JUPYTER_REWIND_KERNELS_GHOST_LIMIT_MB": "2"}
    told = json.dumps(imaged.command("create", NOTEBOOK, status=6, **small))
    assert "kernels.ghost_limit_mb" in told and "goes on as before" in told
    imaged.command("create", NOTEBOOK)
    imaged.run("file.seek(0); file.truncate()")
    imaged.command("restore", NOTEBOOK, "head")
    assert imaged.run("file.seek(0); print(len(file.read()))") == f"{3 << 20}\n"
