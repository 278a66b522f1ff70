"""Searches that take long: what else the server does meanwhile, and how many it takes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.faces.server.searches import WAITING_LIMIT, Searches
from jupyter_rewind.notebooks import search as search_module
from tests.faces.server.support import Client, eventually, notebook

#: Takes ever longer the longer the text is; it is given up after seconds of processor time.
SLOW = r"(?:(a|aa|aaa)+b?)+(?<=x)\1$"
SECONDS = 60.0


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Searches that wait for this event go on at the latest when the test ends."""
    event = threading.Event()
    yield event
    event.set()


async def test_nothing_waits_for_slow_searches(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While two expressions that take seconds are searched for, lists, saves and restores go on."""
    monkeypatch.setattr(search_module, "_SECONDS", 4.0)
    await client.put("a.ipynb", notebook("x = '" + "a" * 60 + "!'"))
    first = (await client.checkpoints("a.ipynb"))[0]["id"]
    slow = [
        asyncio.create_task(client.rewind("GET", "search", path="a.ipynb", text=SLOW, regex="true"))
        for _ in range(2)
    ]
    searches = client.service.recorder.searches
    await eventually(lambda: searches.unfinished == 2, seconds=SECONDS)
    assert (await client.put("a.ipynb", notebook("x = 2")))[0] == 200
    assert len(await client.checkpoints("a.ipynb")) == 2
    assert len(await client.history("a.ipynb")) == 2
    assert (await client.restore("a.ipynb", first))[0] == 204
    assert not any(task.done() for task in slow)
    answers = await asyncio.gather(*slow)
    assert [status for status, _ in answers] == [400, 400]
    assert "takes more than" in answers[0][1]["message"]


async def test_of_many_hits_the_newest_are_told(client: Client) -> None:
    """With a limit you get those that were there last, and how many there are in all."""
    for number in range(3):
        await client.put("a.ipynb", notebook(*[f"x{number} = {line}" for line in range(4)]))
        await client.checkpoints("a.ipynb")
    asked = {"path": "a.ipynb", "text": "x"}
    found = (await client.rewind("GET", "search", **asked, limit="5"))[1]
    assert found["count"] == 12
    assert [hit["text"] for hit in found["hits"]] == [
        *[f"x2 = {line}" for line in range(4)],
        "x1 = 0",
    ]
    whole = (await client.rewind("GET", "search", **asked))[1]
    assert whole["count"] == len(whole["hits"]) == 12
    assert whole["hits"][0]["text"] == "x0 = 0"


async def test_too_many_searches_are_refused_in_words(
    client: Client, held: threading.Event
) -> None:
    """The one too many hears at once that it may ask again; all others are answered."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    searches = client.service.recorder.searches
    others = [searches.submit(lambda: held.wait(SECONDS)) for _ in range(WAITING_LIMIT)]
    waits = asyncio.create_task(client.rewind("GET", "search", path="a.ipynb", text="x"))
    await eventually(lambda: searches.unfinished == WAITING_LIMIT + 1, seconds=SECONDS)
    status, refusal = await client.rewind("GET", "search", path="a.ipynb", text="x")
    assert status == 503
    assert (refusal["code"], refusal["retryable"]) == ("busy", True)
    assert "9 searches run or wait already" in refusal["message"]
    held.set()
    assert len((await waits)[1]["hits"]) == 1
    assert all(other.result(SECONDS) for other in others)
    assert (await client.rewind("GET", "search", path="a.ipynb", text="x"))[0] == 200


async def test_nothing_waits_for_slow_comparisons(client: Client, held: threading.Event) -> None:
    """Lists go on meanwhile; those that wait for their turn are answered, one too many is not."""
    for number in range(2):
        await client.put("a.ipynb", notebook(f"x = {number}"))
    await client.checkpoints("a.ipynb")
    comparisons = client.service.recorder.comparisons
    for _ in range(WAITING_LIMIT):
        comparisons.submit(lambda: held.wait(SECONDS))
    asked = {"path": "a.ipynb", "base": "head~1", "remote": "head"}
    waits = asyncio.create_task(client.rewind("GET", "diff", **asked))
    await eventually(lambda: comparisons.unfinished == WAITING_LIMIT + 1, seconds=SECONDS)
    assert len(await client.history("a.ipynb")) == 2
    assert len(await client.checkpoints("a.ipynb")) == 2
    status, refusal = await client.rewind("GET", "diff", **asked)
    assert (status, refusal["code"]) == (503, "busy")
    assert not waits.done()
    held.set()
    status, found = await waits
    assert status == 200 and found["differs"]


async def test_who_went_away_is_not_searched_for(
    client: Client, held: threading.Event, jp_http_port: int, jp_auth_header: dict[str, str]
) -> None:
    """A search that waits for its turn ends with the connection that asked for it."""
    await client.put("a.ipynb", notebook("x = 1"))
    searches = client.service.recorder.searches
    running = searches.submit(lambda: held.wait(SECONDS))
    base = client.server.base_url
    _, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
    head = [
        f"GET {base}rewind/api/v1/search?path=a.ipynb&text=x HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name}: {value}" for name, value in jp_auth_header.items()),
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    await eventually(lambda: searches.unfinished == 2, seconds=SECONDS)
    writer.close()
    await eventually(lambda: searches.unfinished == 1, seconds=SECONDS)
    assert not running.done()


def test_a_fault_or_a_cancelled_search_makes_room() -> None:
    """However a search ends, the next one has its place."""
    searches = Searches("searches")
    release = threading.Event()

    def fail() -> Any:
        release.wait(SECONDS)
        raise ValueError("no")

    futures = [searches.submit(fail) for _ in range(WAITING_LIMIT + 1)]
    with pytest.raises(Unavailable):
        searches.submit(fail)
    assert futures[-1].cancel()
    release.set()
    assert isinstance(futures[0].exception(SECONDS), ValueError)
    assert isinstance(futures[-2].exception(SECONDS), ValueError)
    assert searches.submit(lambda: 7).result(SECONDS) == 7
    searches.stop(wait=True)
    assert searches.unfinished == 0
    with pytest.raises(Unavailable, match="stopping"):
        searches.submit(fail)
