"""The command `watch`: checkpoints of notebooks that other programs edit."""

from __future__ import annotations

from jupyter_rewind.faces.cli.command import Commands

commands = Commands("Keep and bring back")
