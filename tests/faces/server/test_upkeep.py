"""The server expires and collects by itself, by the settings, and seldom."""

from __future__ import annotations

import asyncio

import pytest

from tests.faces.server.support import Client, notebook

FEW = {
    "retention_keep_last": 3,
    "retention_hourly": 0,
    "retention_daily": 0,
    "retention_weekly": 0,
}


@pytest.mark.parametrize("rewind_settings", [FEW])
async def test_a_round_expires_by_the_settings_and_comes_seldom(client: Client) -> None:
    """The first round leaves what the policy keeps; the next one is not due yet."""
    for number in range(8):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    before = await client.checkpoints("a.ipynb")
    upkeep = client.service.upkeep
    await asyncio.to_thread(upkeep.run)
    kept = await client.checkpoints("a.ipynb")
    assert [each["id"] for each in kept] == [each["id"] for each in before[-3:]]
    await client.put("a.ipynb", notebook("one more"))
    await asyncio.to_thread(upkeep.run)
    assert len(await client.checkpoints("a.ipynb")) == 4
    assert (await client.content("a.ipynb", kept[0]["id"])).startswith(b"{")
    assert client.service.recorder.failed == 0


@pytest.mark.parametrize("rewind_settings", [{"upkeep_automatic": False}])
async def test_the_user_may_turn_it_off(client: Client) -> None:
    """With upkeep.automatic off no thread waits for its time."""
    await client.put("a.ipynb", notebook("x = 1"))
    assert client.service.upkeep._thread is None
