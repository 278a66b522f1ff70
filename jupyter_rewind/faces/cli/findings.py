"""What `doctor` says of one thing: how it stands, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata


class State(StrEnum):
    """How a thing stands. Only `problem` asks for action."""

    ON = "on"
    OFF = "off"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend` is the one command that helps, where there is one."""

    name: str
    state: State
    text: str
    mend: str = ""


def installed_version(package: str) -> str:
    """The version of a package of this environment; empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
