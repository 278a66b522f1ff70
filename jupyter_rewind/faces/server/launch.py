"""Jupyter, as `jupyter rewind serve` starts it: its arguments may hold a token or the address of a
replica, and every user of a machine sees those of every process. So they stand in the environment.
"""

from __future__ import annotations

import json
import os
import runpy
import sys

from jupyter_rewind.settings.serving import ARGUMENTS_VARIABLE


def main(module: str) -> None:
    """Runs `module` as a program. What that starts in turn knows nothing of its arguments."""
    sys.argv[1:] = json.loads(os.environ.pop(ARGUMENTS_VARIABLE))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
