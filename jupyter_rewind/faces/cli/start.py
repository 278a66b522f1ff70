"""Where the program begins: Ctrl-C ends it in words from the first moment on.

Imports nothing heavy itself, for an interrupt while that is imported must be caught as well.
"""

from __future__ import annotations

import sys

INTERRUPTED = 128 + 2


def main() -> int:
    """The exit status of the command line."""
    try:
        from jupyter_rewind.faces.cli import app

        return app.main()
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("Interrupted.\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
