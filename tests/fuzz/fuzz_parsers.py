"""Coverage-guided fuzzing of every parser of what strangers wrote, with atheris.

Not part of the test run: it goes on until it is stopped or has done its number of runs.

    pip install atheris          # wheels for Linux, Python 3.11 to 3.13
    python tests/fuzz/fuzz_parsers.py PARSER [-runs=100000] [-max_len=4096] [CORPUS_FOLDER]

PARSER is one of `salvage`, `memory`, `script`, `prose`, `page`. A crash leaves its input behind as
`crash-…`; make it a test. `--without-atheris` runs the parser on random bytes instead.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def salvage(raw: bytes) -> None:
    """Whatever the bytes: an answer, a notebook that can be written, words for its faults."""
    from jupyter_rewind.recovery.assembly import as_notebook
    from jupyter_rewind.recovery.formats import to_text
    from jupyter_rewind.recovery.salvage import salvage_notebook

    salvaged = salvage_notebook(raw)
    assert salvaged.whole == (not salvaged.damages)
    book = as_notebook([(cell, {}) for cell in salvaged.cells], salvaged.metadata, {})
    to_text(book, "ipynb").encode()


def memory(raw: bytes) -> None:
    """Only whole cells are told, whatever stands around them."""
    from jupyter_rewind.recovery.memorycells import find_rows, join_rows

    for row in join_rows(find_rows(raw)[0]):
        assert row.cells and all(cell.whole for cell in row.cells)


def _export(suffix: str) -> Callable[[bytes], None]:
    def parse(raw: bytes) -> None:
        from jupyter_rewind.recovery.exports.reading import read_export

        read_export(f"a{suffix}", raw, fetch=lambda _: b"x")

    return parse


PARSERS: dict[str, Callable[[bytes], None]] = {
    "salvage": salvage,
    "memory": memory,
    "script": _export(".py"),
    "prose": _export(".md"),
    "page": _export(".html"),
}
SEEDS = [
    b'{"path": "a.ipynb", "cells": [{"id": "a", "cell_type": "markdown", "source": "+"}, '
    b'{"cell_type": "code", "metadata": {}, "source": "b", "outputs": []}], "metadata": {}}',
    b'{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x"]}]}]}',
    b"#!/usr/bin/env python\n# coding: utf-8\n\n# In[1]:\n\n\nx\n\n\n# # Title\n\n# In[2]:\n",
    b"# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: light\n"
    b'# ---\n\n# + tags=["a"]\n# %time x\n# -\n\n# text\n',
    b'{"cells": [{"cell_type": "code", "source": ["x\\n"], "outputs": []}], "nbformat": 4}',
    b'<<<<<<< a\n{"cells": []}\n=======\n{}\n>>>>>>> b\n',
    b'<html><div class="jp-Cell"><div class="input_area"><pre>x</pre></div></div>',
    b"# %% [markdown]\n# text\n\n# %%\nx = 1\n",
    b"---\njupyter: python3\n---\n\n```{python}\nx\n```\n",
]


def without_atheris(parse: Callable[[bytes], None], runs: int) -> None:
    """Seeds with bytes changed, doubled, and dropped at random."""
    chance = random.Random(0)
    for _ in range(runs):
        raw = bytearray(chance.choice(SEEDS) * chance.randint(1, 3))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(raw) + 1)
            end = at + chance.randint(0, 12)
            raw[at:end] = chance.choice([b"", chance.randbytes(4), bytes(raw[at:end]) * 2])
        parse(bytes(raw))


def main(arguments: list[str]) -> int:
    name = arguments[1] if len(arguments) > 1 else ""
    if name not in PARSERS:
        sys.stderr.write(f"Name a parser: {', '.join(PARSERS)}\n")
        return 2
    if "--without-atheris" in arguments:
        runs = next((int(one[6:]) for one in arguments if one.startswith("-runs=")), 10_000)
        without_atheris(PARSERS[name], runs)
        return 0
    import atheris

    with atheris.instrument_imports(include=["jupyter_rewind.recovery"]):
        import jupyter_rewind.recovery.exports.reading
        import jupyter_rewind.recovery.memorycells
        import jupyter_rewind.recovery.salvage  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS):
            Path(folder, f"seed-{number}").write_bytes(seed)
        atheris.Setup([arguments[0], *arguments[2:], folder], PARSERS[name])
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    raise SystemExit(main(sys.argv))
