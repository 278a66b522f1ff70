"""What `doctor` finds out about hosted kernels, images of their processes, and `serve`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli.account import find_account
from jupyter_rewind.faces.cli.findings import Finding, State

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

_HOST, _IMAGES, _CELLS = "kernel host", "process images", "images after cells"
_TEMPLATES = "templates"


def check_hosting(settings: Rewind) -> Iterator[Finding]:
    """Whether kernels need their server, and whether their processes can be kept whole."""
    if sys.platform != "linux":
        text = "kernels end with their server here; states of variables are kept all the same"
        yield Finding(_HOST, State.NOTE, text)
        return
    if settings.kernels_host:
        stopped = "go on" if settings.kernels_outlive else "stop"
        text = f"kernels go on when their server is killed, and {stopped} when it is stopped"
        yield Finding(_HOST, State.ON, text)
    else:
        mend = "jupyter rewind config set kernels.host true"
        yield Finding(_HOST, State.OFF, "kernels end with their server", mend)
    yield _images(settings)
    if settings.kernels_auto_images:
        yield _after_cells(settings)
    if settings.kernels_templates:
        yield _templates(settings)


def check_serve(settings: Rewind) -> Iterator[Finding]:
    """As whom `serve` would run Jupyter, where that is somebody else."""
    try:
        account = find_account(settings.serve_uid, settings.serve_gid)
    except InvalidInput as error:
        yield Finding(
            "serve", State.PROBLEM, f"`jupyter rewind serve` would not start: {error.args[0]}"
        )
        return
    if account is None:
        return
    text = f"Jupyter runs as {account.name}, in the group {account.gid}"
    if account.uid != 0:
        text += "; root's rights are given up, so process images are those of a user without them"
    yield Finding("serve", State.NOTE, text)


def _images(settings: Rewind) -> Finding:
    from jupyter_rewind.kernels.images.criu import find_criu

    found = find_criu(settings)
    if settings.kernels_images and not settings.kernels_host:
        mend = "jupyter rewind config set kernels.host true"
        text = "kernels.images does nothing: images are made of hosted kernels"
        return Finding(_IMAGES, State.PROBLEM, text, mend)
    if settings.kernels_images:
        if found.problem:
            return Finding(_IMAGES, State.PROBLEM, f"none: {found.problem}", found.mend)
        text = f"of kernels that start from now on, by CRIU {found.version} ({found.path})"
        return Finding(_IMAGES, State.ON, text)
    if found.problem:
        return Finding(_IMAGES, State.NOTE, f"not on this machine: {found.problem}", found.mend)
    mend = "jupyter rewind config set kernels.images true"
    return Finding(_IMAGES, State.OFF, f"CRIU {found.version} would make them", mend)


def _templates(settings: Rewind) -> Finding:
    nothing = "kernels.templates does nothing"
    if not settings.kernels_host:
        mend = "jupyter rewind config set kernels.host true"
        return Finding(_TEMPLATES, State.PROBLEM, f"{nothing}: it is for hosted kernels", mend)
    if settings.kernels_images:
        mend = "jupyter rewind config set kernels.images false"
        text = f"{nothing}: kernels have either those or process images"
        return Finding(_TEMPLATES, State.PROBLEM, text, mend)
    count = settings.kernels_templates
    text = f"of the last {count} cells" if count > 1 else "of the last cell"
    return Finding(_TEMPLATES, State.ON, f"{text}, in Python kernels that start from now on")


def _after_cells(settings: Rewind) -> Finding:
    if not settings.kernels_images:
        mend = "jupyter rewind config set kernels.images true"
        text = "kernels.auto_images does nothing: kernels.images is off"
        return Finding(_CELLS, State.PROBLEM, text, mend)
    seconds = settings.kernels_image_cooldown_seconds
    return Finding(_CELLS, State.ON, f"one after each cell, at most one in {seconds} s")
