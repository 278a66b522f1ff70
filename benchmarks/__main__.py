"""`python -m benchmarks [NAME[/PART] ...]`: measures, prints, and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import compileall
import importlib
import os
import platform
import sys
from pathlib import Path

import jupyter_rewind
from benchmarks.measure import Row, run_parts

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
    "panel": "The history panel in a browser",
    "replica": "Replicas beside bare obstore, restic and rclone",
    "lab": "JupyterLab with Rewind beside JupyterLab without it",
    "images": "Process images beside CRIU alone",
    "salvage": "Salvage of broken notebooks, and json-repair beside it",
}
COLUMNS = ("what", "against", "ratio", "bar", "holds", "figures")


def main(words: list[str]) -> int:
    """0 when every bar holds, 1 otherwise, 2 for a name that is none."""
    names = parse(words)
    use_bytecode()
    parts = [HEAD, f"Measured on {machine()}.\n"]
    held = True
    for name in names or list(TITLES):
        name, _, part = name.partition("/")
        module = importlib.import_module(f"benchmarks.{name}")
        rows: list[Row] = run_parts({part: module.PARTS[part]}) if part else module.measure()
        held = held and all(row.holds for row in rows)
        lines = ["| " + " | ".join(row.cells()) + " |" for row in rows]
        table = [
            "| " + " | ".join(COLUMNS) + " |",
            "| " + " | ".join(["---"] * len(COLUMNS)) + " |",
        ]
        parts.append(f"\n## {TITLES[name]}\n\n" + "\n".join(table + lines) + "\n")
        sys.stdout.write(parts[-1])
        sys.stdout.flush()
        if part:
            put_rows(TITLES[name], lines)
        elif names:
            put_section(TITLES[name], parts[-1])
    if not names:
        PAGE.write_text("".join(parts))
    return 0 if held else 1


def parse(words: list[str]) -> list[str]:
    """The names on the command line. Ends the process with status 2 for others."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("names", metavar="NAME[/PART]", nargs="*", help=", ".join(TITLES))
    names: list[str] = parser.parse_args(words).names
    for given in names:
        name, _, part = given.partition("/")
        if name not in TITLES:
            parser.error(f"There is no benchmark {name}; there are {', '.join(TITLES)}.")
        known = getattr(importlib.import_module(f"benchmarks.{name}"), "PARTS", {})
        if part and part not in known:
            parser.error(f"{name} has no part {part}; it has {', '.join(known) or 'none'}.")
    return names


def use_bytecode() -> None:
    """The processes that are measured find their modules compiled, as pip leaves them."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(Path(jupyter_rewind.__file__).parent, quiet=1)


def put_rows(title: str, lines: list[str]) -> None:
    """Replaces the rows of the page that say what these say, or adds them to their section; the
    others stay as they were."""
    page = PAGE.read_text().splitlines()
    for line in lines:
        what, against = line.split(" | ")[:2]
        at = [at for at, old in enumerate(page) if old.startswith(f"{what} | {against} | ")]
        if len(at) == 1:
            page[at[0]] = line
        elif not at and f"## {title}" in page:
            end = page.index(f"## {title}") + 2
            while end < len(page) and page[end].startswith("|"):
                end += 1
            page.insert(end, line)
    PAGE.write_text("\n".join(page) + "\n")


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
