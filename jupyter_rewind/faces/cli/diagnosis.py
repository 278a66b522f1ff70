"""What `doctor` finds out about an installation: what is on, what is not, why, and what mends it.

Each check looks at one thing and never raises.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from jupyter_rewind import __version__
from jupyter_rewind.faces.cli.catalogue import check_catalogue
from jupyter_rewind.faces.cli.findings import Finding, State, installed_version
from jupyter_rewind.faces.cli.frontcheck import check_autosave, check_collaboration
from jupyter_rewind.faces.cli.hostcheck import check_hosting, check_serve
from jupyter_rewind.faces.cli.kernelcheck import check_kernels
from jupyter_rewind.faces.cli.leftovercheck import check_leftovers
from jupyter_rewind.faces.cli.quotas import check_quota
from jupyter_rewind.faces.cli.replicacheck import check_replicas
from jupyter_rewind.faces.cli.servercheck import (
    check_checkpoints_class,
    check_extension,
    check_servers,
)
from jupyter_rewind.faces.cli.storecheck import check_store
from jupyter_rewind.model.shell import quoted

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind, SettingProblem

Check = Callable[["Rewind"], Iterator[Finding]]


def examine(settings: Rewind) -> list[Finding]:
    """All findings. Mistakes in the settings are findings, too, and left out of them."""
    findings = list(_versions())
    if not settings.problems:
        findings.append(Finding("settings", State.ON, "readable"))
    for problem in settings.problems:
        effect = "keeps a server from keeping anything" if problem.stops else "it is left out"
        text = f"{problem.error} ({effect})"
        findings.append(Finding("settings", State.PROBLEM, text, _mend_setting(problem)))
    checks: tuple[tuple[str, Check], ...] = (
        ("server extension", check_extension),
        ("checkpoints class", check_checkpoints_class),
        ("running servers", check_servers),
        ("store", check_store),
        ("quota", check_quota),
        ("replicas", check_replicas),
        ("catalogue", check_catalogue),
        ("autosave", check_autosave),
        ("collaboration", check_collaboration),
        ("kernels", check_kernels),
        ("kernel host", check_hosting),
        ("serve", check_serve),
        ("left-overs", check_leftovers),
    )
    for name, check in checks:
        try:
            findings.extend(check(settings))
        except Exception as error:  # one check that fails costs itself alone
            text = f"could not be looked at: {type(error).__name__}: {error}"
            findings.append(Finding(name, State.PROBLEM, text))
    return findings


def _mend_setting(problem: SettingProblem) -> str:
    from jupyter_rewind.settings import user_file

    if problem.key and problem.origin == str(user_file()):
        return f"jupyter rewind config unset {quoted(problem.key)}"
    variable = problem.origin.removeprefix("environment variable ")
    if variable != problem.origin:
        return f"unset {variable}"
    return f"edit {problem.origin}"


def _versions() -> Iterator[Finding]:
    here = f"Jupyter Rewind {__version__}, Python {platform.python_version()} in {sys.prefix}"
    names = ("jupyter_server", "jupyterlab", "notebook", "nbformat", "nbdime", "traitlets")
    found = [f"{name} {version}" for name in names if (version := installed_version(name))]
    yield Finding("versions", State.NOTE, ", ".join([here, *found]))
