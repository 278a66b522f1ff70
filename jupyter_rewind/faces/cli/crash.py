"""A fault of ours: the details go to a file, the user gets a short apology."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import traceback
from pathlib import Path

from jupyter_rewind import __version__, clock
from jupyter_rewind.errors import Internal
from jupyter_rewind.faces.cli import wording


def trace_of(error: BaseException) -> str:
    """Where `error` came from, as Python tells it, without what is nobody's business."""
    from jupyter_rewind.settings import hide_secrets

    return hide_secrets("".join(traceback.format_exception(error)))


def report(error: Exception, *, shown: bool) -> tuple[Internal, str]:
    """The apology, and the details where the user asked to see them."""
    trace = trace_of(error)
    log = _write(trace)
    what = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    where = f"Its details lie in {log}." if log else "Run it again with --debug for the details."
    sorry = Internal(
        f"Sorry, this is a fault of Jupyter Rewind itself: {what}.",
        hint=f"What was stored before is not touched by it. {where}",
    )
    return sorry, trace if shown else ""


def _write(trace: str) -> Path | None:
    """The file that now holds the details; None where nothing can be written."""
    from jupyter_core.paths import jupyter_data_dir

    from jupyter_rewind.settings import hide_secrets

    moment = wording.utc_time(clock.now_ns()).replace(":", "").replace(".", "-")
    text = "\n".join(
        (
            f"jupyter-rewind {__version__}, Python {platform.python_version()}, {sys.platform}",
            hide_secrets(f"arguments: {sys.argv[1:]!r}"),
            trace,
        )
    )
    # A user without a home folder has no data folder either, and hears of that as a RuntimeError.
    with contextlib.suppress(OSError, RuntimeError):
        folder = Path(jupyter_data_dir()) / "rewind-faults"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{moment}-{clock.pid()}.txt"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return path
    return None
