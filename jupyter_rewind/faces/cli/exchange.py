"""Commands that carry histories out and in: export, import."""

from __future__ import annotations

from typing import Annotated

import typer

from jupyter_rewind.faces.cli.answers import Answer, Words
from jupyter_rewind.faces.cli.command import Commands, Face, NotebookPath

commands = Commands("Carry out and in")
