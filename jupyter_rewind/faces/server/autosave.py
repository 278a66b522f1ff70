"""Brings the setting `notebooks.autosave_seconds` to the front ends.

JupyterLab and Notebook read the default of their own autosave setting from the server, with the
overrides that were found on disk when it started. Ours goes into those, in this process only: no
file is touched, and what the user sets in the front end still wins. The front end takes the higher
of this interval and ten times the last save's duration, and saves only what changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from tornado.routing import RuleRouter
from tornado.web import Application

from jupyter_rewind.settings import Rewind

PLUGIN = "@jupyterlab/docmanager-extension:plugin"
PROPERTY = "autosaveInterval"
SHIPPED_SECONDS = 10


def offer_autosave_interval(
    application: Application, settings: Rewind, log: logging.Logger
) -> bool:
    """Whether a front end of this server will get our interval as its default."""
    seconds = settings.notebooks_autosave_seconds
    is_chosen = settings.origin_of("notebooks.autosave_seconds") != "default"
    offered = False
    try:
        for overrides in _find_overrides(application):
            plugin = overrides.setdefault(PLUGIN, {})
            found = plugin.get(PROPERTY)
            if seconds and (is_chosen or found in (None, SHIPPED_SECONDS)):
                plugin[PROPERTY] = seconds
                offered = True
            elif not seconds and found == SHIPPED_SECONDS:
                del plugin[PROPERTY]
    except Exception:
        log.warning("The autosave interval could not be offered to front ends.", exc_info=True)
    return offered


def _find_overrides(application: Application) -> Iterator[dict[str, Any]]:
    """The overrides of each settings handler, every dictionary once."""
    seen: set[int] = set()
    for arguments in _arguments(application.default_router):
        overrides = arguments.get("overrides")
        if isinstance(overrides, dict) and "schemas_dir" in arguments and id(overrides) not in seen:
            seen.add(id(overrides))
            yield overrides


def _arguments(router: RuleRouter) -> Iterator[dict[str, Any]]:
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from _arguments(rule.target)
        elif isinstance(rule.target_kwargs, dict):
            yield rule.target_kwargs
