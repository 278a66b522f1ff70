"""The server expires and collects by itself, by the settings, and seldom."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.faces.server.support import Client, eventually, notebook
from tests.faces.server.test_rest import check

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


async def test_health_tells_of_a_damaged_segment_that_was_left(
    client: Client, tmp_path: Path
) -> None:
    """A round of upkeep keeps it for a salvage, and says so."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    damaged = tmp_path / "store" / "segments" / ("0" * 16)
    damaged.write_bytes(b"no record at all" * 100)
    await asyncio.to_thread(client.service.upkeep.run)
    assert damaged.exists()
    _, health = await client.rewind("GET", "health")
    assert damaged.name in health["last_failure"] and "salvage" in health["last_failure"]


@pytest.mark.parametrize("rewind_settings", [FEW])
async def test_listeners_hear_what_expired(client: Client) -> None:
    """Each checkpoint that a round takes away is announced, and no other."""
    heard: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.append(data)

    for number in range(5):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    before = await client.checkpoints("a.ipynb")
    client.server.event_logger.add_listener(
        schema_id="https://schema.jupyter.org/jupyter_rewind/checkpoint/v1", listener=listen
    )
    await asyncio.to_thread(client.service.upkeep.run)
    await eventually(lambda: len(heard) >= 2)
    told = [(each["action"], each["checkpoint"]) for each in heard]
    assert told == [("expired", each["id"]) for each in before[:2]]


@pytest.mark.parametrize("rewind_settings", [{"store_quota": "200 kB"}])
async def test_a_quota_is_told_before_anything_expires_for_it(client: Client) -> None:
    """Health and stats, a notice and an event tell of it; an hour after that the oldest
    checkpoints go, the head stays, and listeners hear of both."""
    heard: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.append(data)

    client.server.event_logger.add_listener(
        schema_id="https://schema.jupyter.org/jupyter_rewind/store/v1", listener=listen
    )
    for number in range(12):
        await client.put("a.ipynb", notebook(random.Random(number).randbytes(20_000).hex()))
    before = await client.checkpoints("a.ipynb")
    watch = client.service.quota
    await asyncio.to_thread(client.service.upkeep.look)
    status, health = await client.rewind("GET", "health")
    check("GET", "health", status, health)
    assert health["quota"]["state"] == "over" and health["state"] == "limited"
    assert any("quota" in each and "expire" in each for each in health["notices"])
    _, stats = await client.rewind("GET", "stats")
    assert stats["quota"] == health["quota"]
    assert await client.checkpoints("a.ipynb") == before
    note = Path(client.service.settings.store_path) / "quota-warned"
    note.write_text(str(int(note.read_text()) - 3_600_000_000_000))
    await asyncio.to_thread(watch.look)
    left = await client.checkpoints("a.ipynb")
    assert 1 <= len(left) < len(before) and left == before[-len(left) :]
    row = watch.row()
    assert row is not None and row["state"] == "within" and row["used_bytes"] <= 200_000
    await eventually(lambda: len(heard) >= 2)
    assert [each["state"] for each in heard] == ["over", "within"]
    assert heard[1]["expired"] == len(before) - len(left)
    assert client.service.recorder.failed == 0
