"""The autosave interval reaches the front ends, which do the rest themselves."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.faces.server.support import Client

pytest.importorskip("jupyterlab")

PLUGIN = "@jupyterlab/docmanager-extension:plugin"
NOTEBOOK = {"ServerApp": {"jpserver_extensions": {"jupyter_rewind": True, "notebook": True}}}
SHIPPED = {"ServerApp": {"jpserver_extensions": {"jupyter_rewind": False, "notebook": True}}}
LAB = {"ServerApp": {"jpserver_extensions": {"jupyter_rewind": True, "jupyterlab": True}}}


async def _interval(client: Client) -> int:
    status, answer = await client.ask("GET", "lab/api/settings", PLUGIN)
    assert status == 200, answer
    return int(answer["schema"]["properties"]["autosaveInterval"]["default"])


@pytest.mark.parametrize(
    ("rewind_settings", "seconds"),
    [({}, 10), ({"notebooks_autosave_seconds": 25}, 25)],
)
@pytest.mark.parametrize("extra_config", [LAB])
async def test_the_interval_of_the_settings_is_the_front_ends_default(
    client: Client, seconds: int
) -> None:
    """Lab asks the server for its settings and gets the interval that Rewind's settings say."""
    assert await _interval(client) == seconds


@pytest.mark.parametrize("rewind_settings", [{"notebooks_autosave_seconds": 0}])
@pytest.mark.parametrize("extra_config", [LAB])
async def test_zero_leaves_the_interval_to_the_front_end(client: Client) -> None:
    """With 0 the front end has its own default."""
    assert await _interval(client) == 120


@pytest.mark.skipif(find_spec("notebook") is None, reason="Notebook 7 is not installed")
@pytest.mark.parametrize(
    ("extra_config", "rewind_settings", "seconds"),
    [(SHIPPED, {}, 10), (NOTEBOOK, {}, 10), (NOTEBOOK, {"notebooks_autosave_seconds": 25}, 25)],
)
async def test_notebook_gets_the_interval_too(client: Client, seconds: int) -> None:
    """Notebook 7 reads the override that we ship, and with the extension on our settings."""
    assert "notebook" in client.server.extension_manager.extension_apps
    assert await _interval(client) == seconds


def _lab_bundles() -> list[Path]:
    return sorted((Path(sys.prefix) / "share/jupyter/lab/static").glob("*.js"))


def test_lab_waits_ten_times_as_long_as_a_save_takes() -> None:
    """IPEP 15 is the front end's own: its save handler takes the higher of the interval and ten
    times the last save, and leaves clean documents alone."""
    handlers = [
        text
        for text in (bundle.read_text("utf-8", "replace") for bundle in _lab_bundles())
        if "_minInterval" in text and "_multiplier" in text
    ]
    if not handlers:
        pytest.skip("no bundle of JupyterLab's is installed here")
    assert any(
        re.search(r"Math\.max\(this\._multiplier\*\w+,this\._minInterval\)", each)
        for each in handlers
    )
    assert any("this._multiplier=10" in each for each in handlers)
    assert any(re.search(r"!\w+\.model\.dirty", each) for each in handlers)


def test_found_overrides_of_an_administrator_win(jp_serverapp: Any) -> None:
    """An interval that an administrator set in Lab's own overrides stays, unless ours was set."""
    import logging

    from tornado.web import Application, RequestHandler

    from jupyter_rewind.faces.server.autosave import offer_autosave_interval
    from jupyter_rewind.settings import Rewind

    overrides = {PLUGIN: {"autosaveInterval": 300}}
    arguments = {"overrides": overrides, "schemas_dir": ""}
    application = Application([("/x", RequestHandler, arguments)])
    log = logging.getLogger("test")
    assert not offer_autosave_interval(application, Rewind.load(), log)
    assert overrides[PLUGIN]["autosaveInterval"] == 300
    chosen = Rewind.load({"notebooks.autosave_seconds": "20"})
    assert offer_autosave_interval(application, chosen, log)
    assert overrides[PLUGIN]["autosaveInterval"] == 20
