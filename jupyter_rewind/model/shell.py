"""How a name stands in a command that a person is told: so that their shell reads it as one."""

from __future__ import annotations

import re
import shlex
import sys

_WINDOWS = "win32"
_PLAIN = re.compile(r"[\w+:./\\-]+")
_LAST = re.compile(r"\\+\Z")


def quoted(text: str, platform: str = sys.platform) -> str:
    """`text` as one word of a command. On Windows, where no name has them, in double quotes: cmd
    and PowerShell both take those, and cmd takes no others. What each of them puts in between the
    quotes (`%NAME%` and `$name`) is left: no way to write it suits both."""
    if platform != _WINDOWS:
        return shlex.quote(text)
    if _PLAIN.fullmatch(text):
        return text
    # A backslash would take the quotes behind it for a letter.
    return f'"{_LAST.sub(lambda found: 2 * found[0], text)}"'
