"""Shows answers: the only place that prints.

Three kinds of readers: a person at a terminal (rich tables, colours, progress bars), a pipe
(tab-separated text without decoration), a program (`--json`, one document a line). Answers go to
stdout; remarks, progress and errors go to stderr. rich is imported only for a terminal.
"""

from __future__ import annotations

import codecs
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.cli import answers, wording
from jupyter_rewind.faces.cli.statuses import Status

if TYPE_CHECKING:
    from rich.console import Console


def _encode_odd(error: UnicodeError) -> tuple[str | bytes, int]:
    """Bytes of a file name that are no text stand as they are; half a character, as JSON can hold
    one, is spelled out."""
    if not isinstance(error, UnicodeEncodeError):
        return codecs.lookup_error("surrogateescape")(error)
    odd = error.object[error.start : error.end]
    parts = (c.encode(errors=_handler_for(c)) for c in odd)
    return b"".join(parts), error.end


def _handler_for(character: str) -> str:
    return "surrogateescape" if 0xDC80 <= ord(character) <= 0xDCFF else "backslashreplace"


_ODD = "jupyter-rewind-odd"
codecs.register_error(_ODD, _encode_odd)
Progress = Callable[[int, int], None]
"""Takes what is done and what there is to do, in any one unit."""
Step = Callable[[str, float | None], None]
"""Takes what is being done and, where that is known, the share that is done."""


class Screen:
    """Where a command's answers go."""

    def __init__(self, *, as_json: bool = False, color: bool = True) -> None:
        self.as_json = as_json
        if as_json:
            # Else what is logged would stand on stderr beside the one document.
            logging.getLogger("jupyter_rewind").addHandler(logging.NullHandler())
        self.color = color and not os.environ.get("NO_COLOR")
        self.terminal = not as_json and sys.stdout.isatty()
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
                stream.reconfigure(errors=_ODD if utf8 else "backslashreplace")

    @property
    def width(self) -> int:
        """Columns of the terminal; 80 in a pipe."""
        return self._console(sys.stdout).width if self.terminal else 80

    @property
    def colors_diffs(self) -> bool:
        """Whether text for the eye should carry colours."""
        return self.terminal and self.color

    def answer(self, command: str, answer: answers.Answer) -> None:
        """`answer` stands on stdout, in the form its reader takes."""
        if self.as_json:
            print(json.dumps(answers.envelope(command, answer)))
            return
        for part in answer.parts:
            if self.terminal:
                self._show(part)
            else:
                _write_plain(part)

    def raw(self, data: bytes) -> None:
        """Exactly `data` stands on stdout."""
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def text(self, text: str) -> None:
        """A line that is the same for every reader."""
        print(text)

    def remark(self, text: str) -> None:
        """A sentence on stderr; nothing where a program reads."""
        if not self.as_json:
            print(wording.visible(text, keep="\n"), file=sys.stderr)

    def error(
        self, command: str, error: RewindError, status: Status, *, traceback: str = ""
    ) -> None:
        """One clear sentence on stderr, or the document for programs."""
        if self.as_json:
            print(json.dumps(_error_document(command, error, status)), file=sys.stderr)
        else:
            print(wording.visible(f"Error: {error}", keep="\n"), file=sys.stderr)
        if traceback:
            print(traceback.rstrip(), file=sys.stderr)

    def usage(self, command: str, message: str, usage: str) -> None:
        """What was wrong with the words of the command, and how it is used."""
        if self.as_json:
            problem = RewindError(message, code="invalid_input", hint=usage)
            self.error(command, problem, Status.USAGE)
        else:
            more = " ".join(("jupyter rewind", command)).strip()
            told = f"`{more} --help` tells what there is."
            lines = [*([usage] if usage else []), f"Error: {message}", told]
            print(wording.visible("\n".join(lines), keep="\n"), file=sys.stderr)

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """A bar on stderr while the block runs, where a person looks on; else nothing."""
        if self.as_json or not sys.stderr.isatty():
            yield lambda done, total: None
            return
        from rich import progress

        bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeRemainingColumn(),
            console=self._console(sys.stderr),
            transient=True,
        )
        with bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total or None)

    @contextmanager
    def steps(self) -> Iterator[Step]:
        """One line on stderr that says what is being done, where a person looks on; else nothing.

        Plain, without rich: whoever looks for lost work shall not wait for an import.
        """
        if self.as_json or not sys.stderr.isatty():
            yield lambda words, share: None
            return
        columns = os.get_terminal_size(sys.stderr.fileno()).columns - 1

        def show(words: str, share: float | None) -> None:
            done = "" if share is None else f"{share:4.0%} "
            line = wording.visible(done + words)[:columns]
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

        try:
            yield show
        finally:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _console(self, stream: TextIO) -> Console:
        from rich.console import Console

        return Console(file=stream, no_color=not self.color, highlight=False)

    def _show(self, part: answers.Part) -> None:
        console = self._console(sys.stdout)
        match part:
            case answers.Table():
                _show_table(console, part)
            case answers.Facts():
                _show_facts(console, part)
            case answers.Words():
                console.print(wording.visible(part.text, keep="\n"), style=part.style, markup=False)
            case answers.Remark():
                self.remark(part.text)
            case answers.Patch():
                print(_only_colors(part.text), end="")
            case answers.Notebook():
                from jupyter_rewind.faces.cli import cells

                for block in cells.rich_blocks(part.content):
                    console.print(block)
            case answers.Source():
                from rich.syntax import Syntax

                lexer = Syntax.guess_lexer(part.name, part.text)
                text = wording.visible(part.text, keep="\n\t")
                console.print(Syntax(text, lexer, background_color="default", word_wrap=True))


def _write_plain(part: answers.Part) -> None:
    match part:
        case answers.Table():
            if part.rows:
                print("\t".join(column.name for column in part.columns))
            for row in part.rows:
                print("\t".join(_cell(value) for value in row))
            if part.empty and not part.rows:
                print(part.empty, file=sys.stderr)
        case answers.Facts():
            for name, value in part.rows:
                print(f"{name}\t{_cell(value)}")
        case answers.Words():
            print(wording.visible(part.text, keep="\n" + _UNDECODED))
        case answers.Remark():
            print(wording.visible(part.text, keep="\n"), file=sys.stderr)
        case answers.Patch():
            print(part.text, end="")
        case answers.Source():
            print(part.text, end="" if part.text.endswith("\n") else "\n")
        case answers.Notebook():
            from jupyter_rewind.faces.cli import cells

            for line in cells.plain_lines(part.content):
                print(line)


_UNDECODED = "".join(map(chr, range(0xDC80, 0xDD00)))


def _cell(value: str) -> str:
    """`value` on one line and without a tab; bytes of file names that are no text stay."""
    return wording.visible(value, keep=_UNDECODED)


_COLORS = re.compile(r"(\x1b\[[0-9;]*m)")


def _only_colors(text: str) -> str:
    """`text` with its colours and without any other order to the terminal."""
    parts = _COLORS.split(text)
    return "".join(
        part if number % 2 else wording.visible(part, keep="\n\t")
        for number, part in enumerate(parts)
    )


def _show_table(console: Console, part: answers.Table) -> None:
    from rich.table import Table
    from rich.text import Text

    from jupyter_rewind.faces.cli import fitting

    if not part.rows:
        if part.empty:
            console.print(part.empty, markup=False, style="dim")
        return
    rows = [[wording.visible(value) for value in row] for row in part.rows]
    part = answers.Table(part.columns, rows)
    widths, shown = fitting.measure(part), fitting.choose_columns(part, console.width)
    fits = fitting.total([widths[number] for number in shown]) <= console.width
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, fitting.GAP, 0, 0))
    for number in shown:
        column = part.columns[number]
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            style=column.style,
            overflow="fold" if column.fold else "ellipsis",
            no_wrap=not column.fold,
            min_width=widths[number] if fits or not column.fold else None,
        )
    for row in rows:
        table.add_row(*(Text(row[number]) for number in shown))
    console.print(table)
    left = [each.name for number, each in enumerate(part.columns) if number not in shown]
    if left:
        console.print(f"A wider terminal shows: {', '.join(left)}.", markup=False, style="dim")


def _show_facts(console: Console, part: answers.Facts) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in part.rows:
        table.add_row(Text(name), Text(wording.visible(value)))
    console.print(table)


def _error_document(command: str, error: RewindError, status: Status) -> dict[str, object]:
    return {
        "schema": answers.SCHEMA,
        "command": command,
        "status": int(status),
        "error": {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "retryable": error.retryable,
        },
    }


def silence() -> None:
    """Nobody reads us any more: the rest of it goes nowhere, without complaint."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
            continue
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
