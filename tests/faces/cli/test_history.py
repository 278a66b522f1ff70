"""Commands that look."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import jsonschema
import pytest

from jupyter_rewind.faces.cli import views
from jupyter_rewind.settings import Rewind as Settings
from tests.faces.cli.conftest import (
    COMMAND,
    FIRST,
    SECOND,
    THIRD,
    Rewind,
    cell,
    notebook_bytes,
    stream,
)
from tests.model.test_retention import checkpoint
from tests.support.images import tell_of_image

SCHEMA = Path(views.__file__).with_name("output.schema.json")


def on_a_terminal(*words: str) -> tuple[int, str]:
    """The command's status and what a person sees, colours included."""
    main, child = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"}
    running = subprocess.Popen([*COMMAND, *words], stdout=child, stderr=child, env=env)
    os.close(child)
    seen = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(main)
    return running.wait(180), seen.decode()


def test_history_lists_the_newest_first(book: Path, rewind: Rewind) -> None:
    """Each checkpoint is a row: id, time, reason, cells, changes, size."""
    ended = rewind("history", book)
    assert ended.status == 0
    assert ended.out.splitlines()[0].split("\t")[:3] == ["id", "time", "reason"]
    assert [(row[2], row[3], row[4], row[5]) for row in ended.rows] == [
        ("manual", "1", "~1 -2", str(len(THIRD))),
        ("manual", "3", "+1 ~1", str(len(SECOND))),
        ("manual", "2", "+2", str(len(FIRST))),
    ]
    assert all(len(row[0]) == 16 for row in ended.rows)


def keep_image(book: Path, time_ns: int) -> str:
    settings = Settings()
    return tell_of_image(Path(settings.store_path), Path(settings.store_key_folder), book, time_ns)


def test_history_has_process_images_between_the_checkpoints(book: Path, rewind: Rewind) -> None:
    """Each in its place in time, also turned; with a limit, as far as the checkpoints reach."""
    assert rewind("history", book, "--json").data["images"] == []
    newest, middle, oldest = rewind("history", book, "--json").data["checkpoints"]
    early = keep_image(book, oldest["time_ns"] + 1)
    late = keep_image(book, newest["time_ns"] + 1)
    expected = [late, newest["id"], middle["id"], early, oldest["id"]]
    ended = rewind("history", book)
    assert [row[0] for row in ended.rows] == expected
    assert [row[2] for row in ended.rows if row[0] in (early, late)] == ["process image"] * 2
    assert "image restore" in ended.err
    turned = rewind("history", book, "--oldest-first")
    assert [row[0] for row in turned.rows] == expected[::-1]
    assert [row[0] for row in rewind("history", book, "-n", "2").rows] == expected[:3]
    cut = rewind("history", book, "-n", "2", "--oldest-first")
    assert [row[0] for row in cut.rows] == [oldest["id"], early, middle["id"]]
    told = rewind("history", book, "--json")
    assert [each["id"] for each in told.data["images"]] == [late, early]
    jsonschema.validate(json.loads(told.out), json.loads(SCHEMA.read_text()))


def test_history_can_be_cut_and_turned(book: Path, rewind: Rewind) -> None:
    """--limit and --oldest-first do what they say."""
    all_ids = [row[0] for row in rewind("history", book).rows]
    assert [row[0] for row in rewind("history", book, "-n", "1").rows] == all_ids[:1]
    assert [row[0] for row in rewind("history", book, "--oldest-first").rows] == all_ids[::-1]


def test_history_on_a_terminal_is_a_table(book: Path) -> None:
    """A person sees short ids and colours."""
    status, seen = on_a_terminal("history", str(book))
    assert status == 0
    assert "\x1b[" in seen
    assert "\t" not in seen
    status, seen = on_a_terminal("history", str(book), "--no-color")
    assert "manual" in seen
    assert "\x1b[3" not in seen


def test_show_tells_cells_and_outputs(book: Path, rewind: Rewind) -> None:
    """A checkpoint reads like a notebook, in plain text."""
    ended = rewind("show", book, "head~1")
    assert ended.status == 0
    assert "# %% 1 markdown intro\n# Title\n" in ended.out
    assert "x = 2\nprint(x)\n# > 2\n" in ended.out
    assert "x = 3" in rewind("show", book).out


@pytest.mark.parametrize(("ref", "state"), [("head", THIRD), ("head~1", SECOND), ("head~2", FIRST)])
def test_show_raw_gives_the_very_bytes(
    ref: str, state: bytes, book: Path, process: Rewind, work: Path
) -> None:
    """What was saved comes out, byte for byte."""
    out = work / "out"
    with out.open("wb") as file:
        done = subprocess.run([*COMMAND, "show", str(book), ref, "--raw"], stdout=file, check=False)
    assert (done.returncode, out.read_bytes()) == (0, state)


def test_show_on_a_terminal_obeys_no_notebook(work: Path, rewind: Rewind) -> None:
    """Escape codes inside a notebook do not reach the terminal, except the colours of outputs."""
    path = work / "evil.ipynb"
    evil = cell("a", "x = '\x1b]0;owned\x07'", stream("\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[0m"))
    path.write_bytes(notebook_bytes(evil))
    assert rewind("checkpoint", path).status == 0
    status, seen = on_a_terminal("show", str(path))
    assert status == 0
    assert "\x1b]0;" not in seen
    assert "\x1b[2J" not in seen
    assert "red" in seen


def test_show_of_a_file_that_is_no_notebook(work: Path, rewind: Rewind) -> None:
    """A text file is shown as text, other bytes are named."""
    text, other = work / "notes.md", work / "broken.ipynb"
    text.write_text("# Hello\n")
    other.write_bytes(b"\0" * 100)
    for path in (text, other):
        assert rewind("checkpoint", path).status == 0
    assert rewind("show", text).out == "# Hello\n"
    assert "--raw" in rewind("show", other).out


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_show_of_what_windows_wrote_is_text(work: Path, rewind: Rewind, encoding: str) -> None:
    """With a mark at its beginning or without."""
    notebook = {"cells": [{"source": "x = 'wide'"}], "nbformat": 4, "nbformat_minor": 5}
    (work / "wide.ipynb").write_bytes(json.dumps(notebook).encode(encoding))
    assert rewind("checkpoint", "wide.ipynb").status == 0
    assert "x = 'wide'" in rewind("show", "wide.ipynb").out


def test_show_takes_raw_or_json(book: Path, rewind: Rewind) -> None:
    """Two contradicting wishes are refused."""
    assert rewind("show", book, "--raw", "--json").status == 2


def test_an_unknown_ref_ends_with_3(book: Path, rewind: Rewind) -> None:
    """A checkpoint that is not there is not found."""
    for ref in ("head~9", "no such label", "0000000000000000", "1999-01-01"):
        ended = rewind("show", book, ref)
        assert (ended.status, ended.out) == (3, "")


def test_diff_without_ref_compares_with_the_file(book: Path, rewind: Rewind) -> None:
    """What changed since the newest checkpoint; nothing where nothing did."""
    ended = rewind("diff", book)
    assert (ended.status, ended.out) == (0, "")
    assert "No difference" in ended.err
    book.write_bytes(notebook_bytes(cell("load", "x = 99")))
    ended = rewind("diff", book)
    assert ended.status == 0
    assert "+  x = 99" in ended.out
    assert "\x1b" not in ended.out


def test_diff_with_refs(book: Path, rewind: Rewind) -> None:
    """One REF compares with the file, two with one another."""
    assert "helper" in rewind("diff", book, "head~1").out
    between = rewind("diff", book, "head~2", "head~1", "--json").data
    assert between["differs"] is True
    assert between["diff"]


def test_diff_by_the_id_of_a_history_compares_with_the_file_where_it_is_now(
    book: Path, rewind: Rewind
) -> None:
    name = rewind("history", book, "--json").data["history"]["id"]
    moved = book.rename(book.with_name("moved.ipynb"))
    assert rewind("history", moved).status == 0
    moved.write_bytes(FIRST)
    assert "-  x = 3\n" in rewind("diff", name).out
    moved.unlink()
    ended = rewind("diff", name)
    assert ended.status == 3
    assert str(moved) in ended.err


def test_diff_on_a_terminal_has_colours(book: Path) -> None:
    """A person sees colours, unless they want none."""
    _, seen = on_a_terminal("diff", str(book), "head~1")
    assert "\x1b[3" in seen
    _, seen = on_a_terminal("diff", str(book), "head~1", "--no-color")
    assert "\x1b[3" not in seen


def test_diff_with_a_broken_file(book: Path, rewind: Rewind) -> None:
    """A file that is no notebook any more is compared all the same, in words."""
    for content in (b"", b"\0" * 50, b'{"cells": ['):
        book.write_bytes(content)
        ended = rewind("diff", book)
        assert ended.status == 0, ended.err
        assert ended.out


def test_diff_without_a_file(book: Path, rewind: Rewind) -> None:
    """Where the file is gone, there is nothing to compare with."""
    book.unlink()
    assert rewind("diff", book).status == 3
    assert rewind("diff", book, "head~1", "head").status == 0


def test_search_finds_lost_functions(book: Path, rewind: Rewind) -> None:
    """Which checkpoints had this function: the first and the last."""
    ids = [row[0] for row in rewind("history", book, "--oldest-first").rows]
    ended = rewind("search", book, "helper")
    assert ended.status == 0
    [row] = ended.rows
    assert (row[0], row[2], row[4]) == (ids[1], ids[1], "more")
    assert row[6] == "def helper(): ..."


def test_search_without_a_hit(book: Path, rewind: Rewind) -> None:
    """Nothing found is an answer, not a failure."""
    ended = rewind("search", book, "nowhere")
    assert (ended.status, ended.out) == (0, "")
    assert rewind("search", book, "(", "--regex").status == 2


def test_deleted_lists_what_can_come_back(book: Path, rewind: Rewind) -> None:
    """A deleted notebook is listed until it is back."""
    assert (rewind("deleted").status, rewind("deleted").out) == (0, "")
    book.unlink()
    [row] = rewind("deleted").rows
    assert row[:2] == [str(book), "3"]
    assert rewind("undelete", book).status == 0
    assert rewind("deleted").rows == []


LONE = b"\xff.ipynb"


@pytest.mark.parametrize("command", ["history", "undelete", "show", "diff"])
def test_a_missing_file_whose_name_is_no_text_is_not_found(
    command: str, book: Path, process: Rewind
) -> None:
    """A name with bytes that are no UTF-8 is a name like any other."""
    ended = process(command, os.fsdecode(LONE))
    assert ended.status == 3, ended.err


@pytest.mark.parametrize("words", [["show"], ["diff"], ["search", "hello"]])
def test_half_a_character_in_a_cell_is_shown_escaped(
    words: list[str], work: Path, rewind: Rewind, process: Rewind
) -> None:
    """JSON can hold half an emoji, which no text file can; nor can a pipe."""
    path = work / "half.ipynb"
    path.write_bytes(notebook_bytes(cell("one", "hello XX")).replace(b"XX", b"\\ud83d"))
    assert rewind("checkpoint", path).status == 0
    path.write_bytes(notebook_bytes(cell("one", "hello XX!")).replace(b"XX", b"\\ud83d?\\ud83d"))
    for ended in (
        process(words[0], path, *words[1:]),
        rewind(words[0], path, *words[1:], "--json"),
    ):
        assert ended.status == 0, ended.err
        assert "\\ud83d" in ended.out


def test_half_a_character_on_a_terminal(work: Path, rewind: Rewind) -> None:
    path = work / "half.ipynb"
    path.write_bytes(notebook_bytes(cell("one", "hello XX")).replace(b"XX", b"\\ud83d"))
    assert rewind("checkpoint", path).status == 0
    for words in (["show"], ["search", "hello"]):
        status, seen = on_a_terminal(words[0], str(path), *words[1:])
        assert status == 0
        assert "ud83d" in seen


def test_a_number_of_thousands_of_digits_is_shown_as_text(work: Path, rewind: Rewind) -> None:
    """Python does not read such a notebook: it is kept, shown and compared as a file."""
    path = work / "long.ipynb"
    raw = notebook_bytes(cell("one", "hello")).replace(b": 1,", b": " + b"1" * 5_000 + b",")
    path.write_bytes(raw)
    assert rewind("checkpoint", path).status == 0
    assert rewind("show", path).status == 0
    assert rewind("diff", path, "head", "head").status == 0
    assert rewind("search", path, "hello").status == 0
    assert rewind("show", path, "--raw").out.encode() == raw


def test_what_is_lost_is_said_beside_the_labels() -> None:
    """A row says that its checkpoint cannot be brought back, and so does `--json`."""
    lost = checkpoint(1, 0, labels=("good one",), readable=False)
    assert views.marks(lost) == "good one, (lost)"
    assert views.checkpoint_json(lost)["readable"] is False
    assert views.marks(checkpoint(2, 0)) == ""


def test_files_that_differ_are_told_to_programs_too(home: Path, rewind: Rewind) -> None:
    """What is no notebook has its lines compared."""
    Path("t.txt").write_text("one\n")
    assert rewind("checkpoint", "t.txt").status == 0
    Path("t.txt").write_text("two\n")
    found = rewind("diff", "t.txt", "--json").data
    assert found["differs"] and found["diff"] == []
    assert "-one" in found["text"] and "+two" in found["text"]


def test_a_copy_that_has_its_originals_name_now_is_no_copy_of_itself(
    book: Path, rewind: Rewind
) -> None:
    """The two have changed their names; the history says what the other one was then."""
    copy, aside = book.with_name("copy.ipynb"), book.with_name("aside.ipynb")
    copy.write_bytes(book.read_bytes())
    assert rewind("checkpoint", copy).status == 0
    assert f"began as a copy of {book}" in rewind("history", copy).err
    book.rename(aside)
    copy.rename(book)
    aside.rename(copy)
    ended = rewind("history", book)
    assert len(ended.rows) == 1
    assert "began as a copy of another notebook, which had this name then" in ended.err
    assert len(rewind("history", copy).rows) == 3
