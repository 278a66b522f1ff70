"""Commands about the store itself: verify, salvage, expire, collect, stats."""

from __future__ import annotations

from typing import Annotated

import typer

from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Column, Facts, Remark, Table, Words
from jupyter_rewind.faces.cli.command import Commands, Face
from jupyter_rewind.faces.cli.statuses import Status

commands = Commands("Look after the store")
