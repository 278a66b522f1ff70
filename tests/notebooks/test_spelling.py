"""The name of a file is its bytes, however the locale spells them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from jupyter_rewind.notebooks.entries import path_key, path_of_key

NAMES = ["/a/plain.ipynb", "/a/ünï 数.ipynb", os.fsdecode(b"/a/\xff\xc3(.ipynb")]
PROGRAM = """
import os, sys
from jupyter_rewind.notebooks.entries import path_key, path_of_key
for name in sys.argv[1:]:
    key = path_key(name)
    assert path_of_key(key) == name, ascii(name)
    os.write(1, key.encode() + b"\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python spells names in one way")
def test_a_file_has_one_history_under_whatever_locale() -> None:
    """Python spells a name otherwise in a process of the plainest locale, as a cron job may be."""
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, *NAMES],
        env=os.environ | plain,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()
    assert said.splitlines() == [path_key(name) for name in NAMES]
    assert [path_of_key(path_key(name)) for name in NAMES] == NAMES
