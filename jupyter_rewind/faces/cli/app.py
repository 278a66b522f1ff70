"""The command `jupyter rewind`.

Starting must be quick: rich, nbdime and the rooms are imported by the commands that need them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from jupyter_rewind.faces.cli import (
    catalogue,
    changes,
    exchange,
    history,
    images,
    kernels,
    keys,
    ran,
    recovery,
    replica,
    serve,
    setup,
    statuses,
    storekeeping,
    watch,
)
from jupyter_rewind.faces.cli.command import (
    INTERRUPTED,
    PIPE_CLOSED,
    ColorOption,
    DebugOption,
    Face,
    JsonOption,
    SetOption,
    StoreOption,
    perform,
)
from jupyter_rewind.faces.cli.quick import QuickGroup
from jupyter_rewind.faces.cli.render import Screen, silence
from jupyter_rewind.faces.cli.statuses import Status

PROGRAM = "jupyter-rewind"
_GROUPS = (
    history, changes, kernels, images, serve, recovery, ran, watch, storekeeping, replica, keys,
    catalogue, exchange,
    setup,
)  # fmt: skip
_EPILOG = f"Exit statuses:\n\n\b\n{statuses.as_text()}"


def _version(asked: bool) -> None:
    if asked:
        from jupyter_rewind import __version__

        Screen().text(f"jupyter-rewind {__version__}")
        raise typer.Exit


def root(
    ctx: typer.Context,
    store: StoreOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    no_color: ColorOption = False,
    debug: DebugOption = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Every save of a notebook can be brought back.

    A NOTEBOOK is a path. A REF names one of its checkpoints: an id or the start of one, a label,
    head, head~3, or a time ("2026-11-20 14:05", "10 minutes ago", yesterday).
    """
    ctx.obj = {"store": store, "set_": set_, "json": json, "no_color": no_color, "debug": debug}


def build(*, rich_help: bool = False) -> typer.Typer:
    """The command with all its subcommands."""
    app = typer.Typer(
        name=PROGRAM,
        cls=QuickGroup,
        epilog=_EPILOG,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if rich_help else None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(root)
    for group in _GROUPS:
        group.commands.register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of the command line; see `statuses`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    try:
        status = _run(given)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        silence()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        Screen(as_json="--json" in given).remark("Interrupted.")
        return INTERRUPTED


def _open_closed_streams() -> None:
    """Where the shell closed an output (`>&-`), what would stand there goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


_SHELLS = ("bash", "zsh", "fish")


def _run(given: list[str]) -> int:
    if given[:1] == ["--show-completion"] and given[1:] in ([shell] for shell in _SHELLS):
        # Typer hears no name here: it shows what the shell takes that it was begun from.
        from typer._completion_shared import get_completion_script

        variable = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
        typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=variable, shell=given[1]))
        return 0
    command: Any = typer.main.get_command(build(rich_help=sys.stdout.isatty()))
    try:
        status = command.main(args=given, prog_name=_name(given), standalone_mode=False)
        return status if isinstance(status, int) else 0
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        return _outside(given, error)


def _name(given: Sequence[str]) -> str:
    """What the help calls us. Completion must go by the name of the program that exists."""
    completing = any(name.startswith("_JUPYTER_REWIND_") for name in os.environ)
    if completing or any(
        each.startswith(("--install-completion", "--show-completion")) for each in given
    ):
        return PROGRAM
    return "jupyter rewind"


def _outside(given: list[str], error: Exception) -> int:
    """The status for what went wrong before a command began: its words, or a fault of ours."""
    as_json = "--json" in given
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        usage = context.get_usage() if context is not None else ""
        name = context.info_name if context is not None and context.parent else ""
        Screen(as_json=as_json).usage(name or "", error.format_message(), usage)
        return int(Status.USAGE)

    def fail(_: Face) -> None:
        raise error

    return perform(Face("", {"json": as_json, "debug": "--debug" in given}), fail)


if __name__ == "__main__":
    sys.exit(main())
