"""What is wrong with a notebook's bytes is said in words, and told apart."""

from __future__ import annotations

import gzip
import json

import pytest

from jupyter_rewind.notebooks.condition import judge_notebook
from tests.notebooks.support import make_cell, make_notebook

WHOLE = make_notebook(
    make_cell("a", "x = 'é😀\\n\"'\n", outputs=[{"output_type": "x", "n": [1.5, True, None]}]),
    "y",
)


@pytest.mark.parametrize("text", [WHOLE, WHOLE.decode().encode("ascii", "backslashreplace")])
def test_a_notebook_cut_short_anywhere_is_said_to_be_cut_short(text: bytes) -> None:
    """Wherever the disk was full: in a number, in a word, in a letter of several bytes."""
    raw = text.rstrip()
    if raw != WHOLE.rstrip():
        raw = json.dumps(json.loads(WHOLE)).encode()
    for end in range(1, len(raw)):
        condition = judge_notebook(raw[:end], "a.ipynb")
        assert condition.state == "truncated", (raw[max(0, end - 20) : end], condition)
        assert "a.ipynb" in condition.words


@pytest.mark.parametrize(
    "raw, state",
    [
        (WHOLE, "ok"),
        (b"\xef\xbb\xbf" + WHOLE, "ok"),
        (b'{"worksheets": [], "nbformat": 3}', "ok"),
        (b"", "empty"),
        (b" \n\n", "empty"),
        (bytes(100), "nul"),
        (WHOLE[:50] + bytes(50), "nul"),
        (b"[]", "invalid"),
        (b'{"cells": 1}', "invalid"),
        (b"{}", "invalid"),
        (b"<<<<<<< HEAD\n" + WHOLE, "invalid"),
        (WHOLE.replace(b'"cells"', b'"cells'), "invalid"),
        (WHOLE + b"x", "truncated"),
        (WHOLE + WHOLE, "invalid"),
        (WHOLE.rstrip()[:-1] + b",}", "invalid"),
        (b"\xff\xfe\xfd" * 10, "invalid"),
        (b"[" * 100_000, "invalid"),
    ],
)
def test_each_condition_has_its_word(raw: bytes, state: str) -> None:
    condition = judge_notebook(raw, "a.ipynb")
    if state == "truncated":
        # One stray letter behind the end looks like a text that goes on; it is not whole anyway.
        assert not condition.is_ok
        return
    assert condition.state == state
    assert condition.is_ok == (state == "ok")
    assert bool(condition.words) == (state != "ok")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a1" * 32 + b"\nsize 9\n"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (POINTER, "a pointer of Git LFS: the notebook itself was not fetched"),
        (gzip.compress(WHOLE), "packed with gzip"),
        (b"PK\x03\x04" + bytes(60), "a zip archive"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"a.ipynb" + bytes(250) + b"ustar\x0000", "a tar archive"),
    ],
)
def test_what_is_no_notebook_is_called_what_it_is(raw: bytes, words: str) -> None:
    """A clone without Git LFS, or a download still packed: you are told what lies there."""
    condition = judge_notebook(raw, "a.ipynb")
    assert condition.state == "invalid"
    assert condition.words.startswith(f"a.ipynb is {words}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_a_notebook_in_utf_16_is_whole_and_said_not_to_open(encoding: str) -> None:
    """PowerShell and the editor of Windows write it so: that is no crash, and it is all there."""
    condition = judge_notebook(WHOLE.decode().encode(encoding), "a.ipynb")
    name = encoding[:6].upper()
    assert condition.words == f"Jupyter does not open a.ipynb: it is in {name}, not in UTF-8."
    assert (condition.state, condition.is_whole) == ("invalid", True)


def test_damage_of_a_notebook_in_utf_16_is_damage() -> None:
    text = WHOLE.decode().encode("utf-16")
    assert judge_notebook(text[:-31], "a.ipynb").state == "truncated"
    assert judge_notebook(text[:-30] + bytes(30), "a.ipynb").state == "nul"
    assert judge_notebook(text.replace(b"[\0", b"7\0", 1), "a.ipynb").state == "invalid"
    assert not judge_notebook("[]".encode("utf-16"), "a.ipynb").is_whole
    assert judge_notebook(" \n".encode("utf-16"), "a.ipynb").state == "empty"
