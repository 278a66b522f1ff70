"""Notebooks to test with: the corpus, generated ones, large ones, and what breaks them."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"


def corpus_files() -> list[Path]:
    """Every notebook and format file of the corpus; empty where the corpus is not there."""
    folders = [CORPUS / "notebooks", CORPUS / "damaged-and-formats"]
    return sorted(path for folder in folders for path in folder.rglob("*.ipynb"))


def to_bytes(book: Any, *, indent: int | None = 1, ascii_only: bool = False) -> bytes:
    """As Jupyter writes it to a file."""
    text = json.dumps(book, indent=indent, ensure_ascii=ascii_only, sort_keys=True) + "\n"
    return text.encode("utf-8", "surrogatepass")


def code_cell(number: int, *, source: str = "", outputs: list[Any] | None = None) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": number,
        "id": f"cell-{number:05}",
        "metadata": {},
        "outputs": outputs or [],
        "source": (source or f"value_{number} = compute({number})\n").splitlines(keepends=True),
    }


def image_output(payload: bytes) -> dict[str, Any]:
    return {
        "data": {
            "image/png": base64.b64encode(payload).decode() + "\n",
            "text/plain": ["<Figure size 640x480 with 1 Axes>"],
        },
        "metadata": {},
        "output_type": "display_data",
    }


def book_of(cells: list[dict[str, Any]], **metadata: Any) -> dict[str, Any]:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, **metadata},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def large_book(size: int, cells: int = 1000, seed: int = 1) -> dict[str, Any]:
    """A notebook whose file has about `size` bytes, most of them images."""
    chance = random.Random(seed)
    each = size // cells * 3 // 4
    return book_of(
        [code_cell(n, outputs=[image_output(chance.randbytes(each))]) for n in range(cells)]
    )


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(exclude_categories=[]), max_size=12),
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
        max_leaves=8,
    )


def long_texts() -> st.SearchStrategy[str]:
    """Texts around the size from which a payload is cut out, with letters of all widths."""
    pieces = st.sampled_from(["a", "é", "日本", "😀", '"', "\\", "\n", "\ud800", "]}", "{["])
    return st.builds(lambda piece, count: piece * count, pieces, st.integers(0, 700))


def cells() -> st.SearchStrategy[dict[str, Any]]:
    lines = st.lists(st.text(max_size=20), max_size=4) | st.text(max_size=30)
    bundle = st.dictionaries(
        st.sampled_from(["text/plain", "image/png", "application/json", "x"]),
        st.one_of(long_texts(), st.lists(long_texts(), max_size=3), json_values()),
        max_size=3,
    )
    output = st.one_of(
        st.fixed_dictionaries(
            {"output_type": st.just("display_data"), "data": bundle},
            optional={"metadata": st.dictionaries(st.text(max_size=5), json_values(), max_size=2)},
        ),
        st.fixed_dictionaries({"output_type": st.just("stream"), "text": long_texts()}),
        st.fixed_dictionaries(
            {"output_type": st.just("error"), "traceback": st.lists(long_texts(), max_size=2)}
        ),
        json_values(),
    )
    return st.fixed_dictionaries(
        {
            "cell_type": st.sampled_from(["code", "markdown", "raw"]) | st.text(max_size=5),
            "source": lines,
        },
        optional={
            "id": st.text(min_size=1, max_size=8) | st.integers() | st.sampled_from(["a", "b"]),
            "metadata": st.dictionaries(
                st.sampled_from(["execution", "trusted", "tags"]), json_values(), max_size=3
            ),
            "outputs": st.lists(output, max_size=3) | json_values(),
            "attachments": st.dictionaries(st.text(max_size=5), bundle, max_size=2),
            "execution_count": st.none() | st.integers(0, 99),
        },
    )


def books() -> st.SearchStrategy[dict[str, Any]]:
    """Notebooks of nbformat 4 and 3, not all of them valid."""
    metadata = st.dictionaries(st.text(max_size=6), json_values(), max_size=3)
    sheet = st.fixed_dictionaries({"cells": st.lists(cells(), max_size=4)})
    modern = st.fixed_dictionaries(
        {
            "cells": st.lists(cells() | json_values(), max_size=6),
            "metadata": metadata,
            "nbformat": st.just(4),
            "nbformat_minor": st.integers(0, 5),
        }
    )
    old = st.fixed_dictionaries(
        {
            "metadata": metadata,
            "nbformat": st.integers(1, 3),
            "worksheets": st.lists(sheet | json_values(), max_size=3),
        }
    )
    return modern | old


@st.composite
def book_files(draw: st.DrawFn) -> bytes:
    """The file of a notebook, spelled in one of the ways that tools spell it."""
    book = draw(books())
    indent = draw(st.sampled_from([None, 0, 1, 4]))
    text = json.dumps(
        book, indent=indent, ensure_ascii=draw(st.booleans()), sort_keys=draw(st.booleans())
    )
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\n\t "])))
    text += draw(st.sampled_from(["", "\n", "\r\n  "]))
    bom = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    return bom + text.encode("utf-8", draw(st.sampled_from(["surrogatepass", "replace"])))


@st.composite
def broken_files(draw: st.DrawFn) -> bytes:
    """A notebook's file after a disaster: cut short, zeroed, garbled, doubled, spliced."""
    raw = bytearray(draw(book_files()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw)))
        end = min(len(raw), at + draw(st.integers(0, 30)))
        how = draw(st.sampled_from(["cut", "zero", "garble", "double", "drop", "token"]))
        if how == "cut":
            del raw[at:]
        elif how == "zero":
            raw[at:end] = bytes(end - at)
        elif how == "garble":
            raw[at:end] = draw(st.binary(min_size=0, max_size=20))
        elif how == "double":
            raw[at:at] = raw[at:end]
        elif how == "drop":
            del raw[at:end]
        else:
            token = [b'"cells":[],', b"}", b"]", b'"', b",", b'"outputs":[', b"NaN", b"1" * 5000]
            raw[at:at] = draw(st.sampled_from(token))
    return bytes(raw)
