"""`python -m benchmarks [NAME ...]`: measures, prints, and writes docs/benchmarks.md."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from pathlib import Path

from benchmarks.measure import Row

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Ratios measured in one run, each against a peer or a physical limit on the same machine at the
same time; medians of several rounds that alternate. Times depend on the machine, ratios much less.
Made by `python -m benchmarks`, which writes this page.

"""
TITLES = {
    "store": "The store against the machine",
    "notebooks": "Notebooks against a plain server, and against git",
    "kernels": "States of kernels beside Kishu, dill and cloudpickle",
    "kernel_limits": "States of kernels against the machine",
    "recovery": "Recovery against known truths",
    "salvage": "Salvage of broken notebooks, and json-repair beside it",
}
COLUMNS = ("what", "against", "ratio", "bar", "holds", "figures")


def main(names: list[str]) -> int:
    """0 when every bar holds, 1 otherwise."""
    parts = [HEAD, f"Measured on {machine()}.\n"]
    held = True
    for name in names or list(TITLES):
        rows: list[Row] = importlib.import_module(f"benchmarks.{name}").measure()
        held = held and all(row.holds for row in rows)
        table = [COLUMNS, tuple("---" for _ in COLUMNS), *(row.cells() for row in rows)]
        text = "\n".join("| " + " | ".join(row) + " |" for row in table)
        parts.append(f"\n## {TITLES[name]}\n\n{text}\n")
        sys.stdout.write(parts[-1])
        sys.stdout.flush()
        if names:
            put_section(TITLES[name], parts[-1])
    if not names:
        PAGE.write_text("".join(parts))
    return 0 if held else 1


def put_section(title: str, text: str) -> None:
    """Replaces one section of the page, or adds it; the others stay as they were measured."""
    page = PAGE.read_text()
    start = page.find(f"\n## {title}\n")
    if start < 0:
        PAGE.write_text(page.rstrip("\n") + "\n" + text)
        return
    end = page.find("\n## ", start + 1)
    PAGE.write_text(page[:start] + text + (page[end:] if end >= 0 else ""))


def machine() -> str:
    """What the figures were measured on, in words."""
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
