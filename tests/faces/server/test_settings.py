"""Mistakes in the settings: told, and no reason to keep nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faces.server.support import Client, notebook


@pytest.mark.parametrize("rewind_settings", [{"retention_dayly": 3, "retention_hourly": -1}])
async def test_a_mistyped_setting_turns_nothing_off(
    client: Client, rewind_settings: dict[str, Any]
) -> None:
    """Saves are kept, and health says what was left out of the settings."""
    await client.put("a.ipynb", notebook("x = 1"))
    assert len(await client.checkpoints("a.ipynb")) == 1
    _, health = await client.rewind("GET", "health")
    assert health["state"] == "limited"
    told = " ".join(health["notices"])
    assert "retention_dayly" in told
    assert "retention.hourly cannot be -1" in told


async def test_pages_know_which_folder_is_served(client: Client) -> None:
    """At one address there may be one folder after the other; what a browser kept is one's own."""
    settings = client.server.web_app.settings
    assert settings["page_config_data"]["rewindRoot"] == settings["server_root_dir"] != ""


@pytest.mark.parametrize("rewind_settings", [{"store_durability": "some"}])
async def test_a_mistake_about_the_store_turns_us_off(
    client: Client, rewind_settings: dict[str, Any]
) -> None:
    """Then health says so, and saving works as ever."""
    assert (await client.put("a.ipynb", notebook("x = 1"))) is not None
    _, health = await client.rewind("GET", "health")
    assert health["state"] == "off"
    assert "store.durability" in health["store"]["error"]["message"]
