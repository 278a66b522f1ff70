"""Writes `docs/reference/cli.md` from the command itself, so that the two cannot drift apart.

python docs/cli_reference.py          rewrites the page
python docs/cli_reference.py --check  ends with 1 where the page is not what would be written
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from jupyter_rewind.faces.cli import app, statuses
from jupyter_rewind.faces.cli.command import SHARED_OPTIONS

PAGE = Path(__file__).parent / "reference" / "cli.md"
_NOT_OURS = {"help", "install_completion", "show_completion", "ctx"}


def page() -> str:
    """The whole page as Markdown."""
    built = app.build()
    root: Any = typer.main.get_command(built)
    headings = {each.name: str(each.rich_help_panel) for each in built.registered_commands}
    lines = [
        "# `jupyter rewind`: every command",
        "",
        "<!-- Written by docs/cli_reference.py; edit the commands' own words, not this page. -->",
        "",
        *_words(root.callback),
        "## Options of every command",
        "",
        "They work before and after the command's name.",
        "",
        *_options([p for p in root.params if p.name in {*SHARED_OPTIONS, "version"}]),
        "## Exit statuses",
        "",
        statuses.as_markdown(),
        "",
        "A command that was ended by a signal leaves 128 and the signal's number, as everywhere:",
        "130 after Ctrl-C, 141 where nobody reads its output any more.",
        "",
    ]
    heading = ""
    for name, command in root.commands.items():
        if headings[name] != heading:
            heading = headings[name]
            lines += [f"## {heading}", ""]
        lines += _command(name, command)
    return "\n".join(lines).rstrip() + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    own = [p for p in command.params if p.name not in {*SHARED_OPTIONS, *_NOT_OURS}]
    arguments = [p for p in own if p.param_type_name == "argument"]
    options = [p for p in own if p.param_type_name == "option"]
    usage = ["jupyter rewind", name, *(["[OPTIONS]"] if options else []), *map(_shape, arguments)]
    yield from (f"### `{name}`", "", "```text", " ".join(usage), "```", "")
    yield from _words(command.callback)
    yield from _options([*arguments, *options])


def _words(function: Any) -> Iterator[str]:
    yield from ((inspect.getdoc(function) or "").replace("\b\n", "").splitlines())
    yield ""


def _shape(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    name += "…" if argument.nargs == -1 else ""
    return name if argument.required else f"[{name}]"


def _options(parameters: list[Any]) -> Iterator[str]:
    if not parameters:
        return
    yield from ("| | |", "| --- | --- |")
    for each in parameters:
        if each.param_type_name == "argument":
            name = f"`{_shape(each)}`"
        else:
            names = [*each.opts, *each.secondary_opts]
            value = f" {each.metavar}" if each.metavar else ""
            value = value or ("" if each.is_flag else " N")
            name = ", ".join(f"`{n}{value}`" for n in names)
        help_ = (each.help or "").replace("|", "\\|")
        yield f"| {name} | {help_} |"
    yield ""


def main() -> int:
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
