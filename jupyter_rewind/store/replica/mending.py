"""What helps where a replica cannot be pushed to, as one command that the user may give."""

from __future__ import annotations

from jupyter_rewind.errors import Conflict, Denied, Integrity, InvalidInput, RewindError
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.store.partial import UNKNOWN
from jupyter_rewind.store.replica.holding import HELD
from jupyter_rewind.store.replica.opening import UNUSED
from jupyter_rewind.store.replica.probe import UNCONDITIONAL


def mending_command(error: RewindError, url: str) -> str:
    """The one command that helps where `url` could not be pushed to."""
    place = quoted(url)
    if isinstance(error, InvalidInput):
        needs_library = "pip install" in error.hint
        return 'pip install "jupyter-rewind[replica]"' if needs_library else (
            "jupyter rewind config unset replica.url"
        )  # fmt: skip
    if error.code in {HELD, UNKNOWN}:
        # Which replica has what is missing, the store knows.
        return "jupyter rewind replica pull"
    if error.code == UNUSED:
        return f"jupyter rewind replica pull {place}"
    if error.code == UNCONDITIONAL or isinstance(error, Conflict):
        return f"jupyter rewind replica remove {place}"
    if isinstance(error, Integrity):
        is_ours = "salvage" in error.hint
        return "jupyter rewind salvage" if is_ours else f"jupyter rewind replica verify {place}"
    if isinstance(error, Denied):
        return f"jupyter rewind replica status {place}"
    return f"jupyter rewind replica push {place}"
