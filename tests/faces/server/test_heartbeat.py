"""Damage is noticed when a notebook is opened or listed, and changes from outside are kept."""

from __future__ import annotations

import os
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Storage
from jupyter_rewind.faces.server import heartbeat as heartbeat_module
from tests.faces.server.support import BROWSER, Client, eventually, notebook, written

OLD = 1_700_000_000


async def _damaged(client: Client) -> dict[str, Any]:
    _, health = await client.rewind("GET", "health")
    return {each["path"]: each for each in health["damaged"]}


def _age(client: Client, path: str) -> None:
    os.utime(client.file(path), (OLD, OLD))


@pytest.mark.parametrize(
    ("state", "damage"),
    [
        ("empty", lambda raw: b""),
        ("truncated", lambda raw: raw[: len(raw) // 2]),
        ("nul", lambda raw: b"\0" * len(raw)),
        ("nul", lambda raw: raw[:60] + b"\0" * 10 + raw[70:]),
        ("invalid", lambda raw: b"{}"),
        ("invalid", lambda raw: raw.replace(b'"cells"', b'"cells" 7')),
    ],
)
@pytest.mark.parametrize("how", ["opened", "listed"])
async def test_damage_is_noticed_and_the_last_good_checkpoint_offered(
    client: Client, state: str, damage: Any, how: str
) -> None:
    """An emptied, cut off, zeroed or senseless notebook is reported with a way back."""
    await client.put("a.ipynb", notebook("x = 1"))
    (good,) = await client.checkpoints("a.ipynb")
    client.file("a.ipynb").write_bytes(damage(client.file("a.ipynb").read_bytes()))
    _age(client, "a.ipynb")
    client.service.heartbeat._watched.clear()
    await client.ask("GET", "api/contents", "a.ipynb" if how == "opened" else "")

    async def noticed() -> Any:
        return (await _damaged(client)).get("a.ipynb")

    found = await eventually(noticed)
    assert found["condition"] == state
    assert found["last_good"] == good["id"]
    _, history = await client.rewind("GET", "history", path="a.ipynb")
    assert history["condition"]["state"] == state
    assert history["condition"]["last_good"] == good["id"]


async def test_damage_of_a_file_of_the_future_is_noticed(client: Client) -> None:
    """The clock was set back, or that of a file server is ahead."""
    await client.put("a.ipynb", notebook("x = 1"))
    await client.checkpoints("a.ipynb")
    client.file("a.ipynb").write_bytes(b"")
    later = clock.now_ns() + 86_400 * 10**9
    os.utime(client.file("a.ipynb"), ns=(later, later))
    client.service.heartbeat._watched.clear()
    await client.ask("GET", "api/contents", "a.ipynb")

    async def noticed() -> Any:
        return (await _damaged(client)).get("a.ipynb")

    assert (await eventually(noticed))["condition"] == "empty"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_what_others_write_and_jupyter_does_not_open_is_told_and_kept(
    client: Client, encoding: str
) -> None:
    """As some editors on Windows, and PowerShell, write it: the work in it is kept, too."""
    await client.put("a.ipynb", notebook("x = 1"))
    (good,) = await client.checkpoints("a.ipynb")
    raw = written(notebook("x = 2")).decode().encode(encoding)
    client.file("a.ipynb").write_bytes(raw)
    _age(client, "a.ipynb")
    await client.ask("GET", "api/contents", "a.ipynb")

    async def noticed() -> Any:
        return (await _damaged(client)).get("a.ipynb")

    assert (await eventually(noticed))["last_good"] == good["id"]

    async def kept() -> bool:
        return len(await client.checkpoints("a.ipynb")) == 2

    await eventually(kept)
    assert await client.content("a.ipynb", "head") == raw


async def test_a_notebook_that_does_not_open_says_what_brings_it_back(client: Client) -> None:
    """The refusal that the front end shows names the command with the last good checkpoint."""
    await client.put("a.ipynb", notebook("x = 1"))
    (good,) = await client.checkpoints("a.ipynb")
    client.file("a.ipynb").write_bytes(b"")
    status, answer = await client.ask("GET", "api/contents", "a.ipynb")
    assert status == 400
    assert f"jupyter rewind restore {client.file('a.ipynb')} {good['id']}" in answer["message"]


@pytest.mark.parametrize("how", ["opened", "listed"])
async def test_what_jupyter_kept_of_a_damaged_notebook_is_offered(client: Client, how: str) -> None:
    """A notebook that Rewind sees damaged at first comes back from Jupyter's own checkpoint."""
    raw = written(notebook("old friend"))
    client.file("dm/.ipynb_checkpoints").mkdir(parents=True)
    client.file("dm/.ipynb_checkpoints/r-checkpoint.ipynb").write_bytes(raw)
    client.file("dm/r.ipynb").write_bytes(b"")
    _age(client, "dm/r.ipynb")
    if how == "opened":
        for _ in range(2):
            status, answer = await client.ask("GET", "api/contents", "dm", "r.ipynb")
            assert status == 400
            assert "Its last good state is kept" in answer["message"], answer
            assert "No good state" not in answer["message"]
    else:
        await client.ask("GET", "api/contents", "dm")

    async def noticed() -> Any:
        return (await _damaged(client)).get("dm/r.ipynb")

    good = (await eventually(noticed))["last_good"]
    assert good is not None
    assert await client.content("dm/r.ipynb", good) == raw
    assert [each["id"] for each in await client.checkpoints("dm/r.ipynb")] == [good]
    await client.restore("dm/r.ipynb", good)
    assert client.file("dm/r.ipynb").read_bytes() == raw


async def test_damage_is_told_where_nothing_can_be_taken_over(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that takes nothing hides no damage: it is told, and so is the failure."""

    def refuse(*told: object) -> bool:
        raise Storage("The store takes nothing.")

    monkeypatch.setattr(client.service.recorder, "prepare_history", refuse)
    client.file("r.ipynb").write_bytes(b"")
    _age(client, "r.ipynb")
    status, answer = await client.ask("GET", "api/contents", "r.ipynb")
    assert status == 400
    assert "r.ipynb is damaged" in answer["message"]
    await eventually(lambda: client.service.heartbeat.damages)
    assert "takes nothing" in client.service.recorder.last_failure


async def test_a_mended_notebook_is_damaged_no_more(client: Client) -> None:
    """After the restore the health endpoint is clean again."""
    await client.put("a.ipynb", notebook("x = 1"))
    (good,) = await client.checkpoints("a.ipynb")
    client.file("a.ipynb").write_bytes(b"")
    _age(client, "a.ipynb")
    await client.ask("GET", "api/contents", "a.ipynb", params={"content": "0"})
    await eventually(lambda: client.service.heartbeat.damages)
    await client.restore("a.ipynb", good["id"])
    await client.ask("GET", "api/contents", "a.ipynb")
    await eventually(lambda: not client.service.heartbeat.damages)


async def test_an_opened_notebook_is_kept_before_anyone_saves(client: Client) -> None:
    """Opening a notebook that Rewind never saw makes its first checkpoint."""
    raw = written(notebook("old friend"))
    client.file("a.ipynb").write_bytes(raw)
    await client.ask("GET", "api/contents", "a.ipynb")
    found = await eventually(lambda: client.checkpoints("a.ipynb"))
    assert await client.content("a.ipynb", found[0]["id"]) == raw


async def test_a_large_notebook_is_sent_before_it_is_looked_at(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens it does not wait for the look; it is kept before anyone saves all the same."""
    raw = written(notebook("x" * (5 << 20)))
    client.file("a.ipynb").write_bytes(raw)
    heartbeat = client.service.heartbeat
    with monkeypatch.context() as patch:
        patch.setattr(heartbeat, "_start", lambda: None)
        await client.ask("GET", "api/contents", "a.ipynb")
        heartbeat._look_quietly("a.ipynb")
        assert await client.checkpoints("a.ipynb") == []
        heartbeat._look_quietly("a.ipynb")
        assert await client.reasons("a.ipynb") == ["external-change"]
    client.file("b.ipynb").write_bytes(raw)
    await client.ask("GET", "api/contents", "b.ipynb")
    found = await eventually(lambda: client.checkpoints("b.ipynb"))
    assert await client.content("b.ipynb", found[0]["id"]) == raw


@pytest.mark.parametrize("rewind_settings", [{"notebooks_scan_seconds": 1}])
async def test_a_change_from_outside_makes_a_checkpoint(client: Client) -> None:
    """A notebook that git changes under an open tab is kept without anyone asking."""
    await client.put("a.ipynb", notebook("x = 1"))
    raw = written(notebook("by git"))
    client.file("a.ipynb").write_bytes(raw)

    async def noticed() -> Any:
        return len(await client.checkpoints("a.ipynb")) == 2

    await eventually(noticed)
    last = (await client.checkpoints("a.ipynb"))[-1]
    assert last["reason"] == "external-change"
    assert await client.content("a.ipynb", last["id"]) == raw


@pytest.mark.parametrize("rewind_settings", [{"notebooks_scan_seconds": 1}])
async def test_damage_while_open_is_announced(client: Client) -> None:
    """Listeners of the server's events hear that a watched notebook was emptied."""
    heard: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.append(data)

    client.server.event_logger.add_listener(
        schema_id="https://schema.jupyter.org/jupyter_rewind/notebook/v1", listener=listen
    )
    await client.put("a.ipynb", notebook("x = 1"))
    client.file("a.ipynb").write_bytes(b"")
    _age(client, "a.ipynb")
    await eventually(lambda: [each for each in heard if each["action"] == "damaged"])
    assert heard[-1]["path"] == "a.ipynb"
    assert heard[-1]["condition"] == "empty"


async def test_a_save_under_way_is_no_change_from_outside(client: Client) -> None:
    """What is on disk while a save writes it is left to that save, and taken up when it failed."""
    await client.put("a.ipynb", notebook("x = 1"))
    recorder, heartbeat = client.service.recorder, client.service.heartbeat
    file = str(client.file("a.ipynb").resolve())
    recorder.readings.expect(file)
    client.file("a.ipynb").write_bytes(written(notebook("half way")))
    heartbeat.look("a.ipynb", heartbeat._watched["a.ipynb"])
    assert await client.reasons("a.ipynb") == ["save"]
    recorder.readings.end_wait(file)
    heartbeat.look("a.ipynb", heartbeat._watched["a.ipynb"])
    assert await client.reasons("a.ipynb") == ["save", "external-change"]


async def test_a_look_at_what_is_kept_tells_nothing_new(client: Client) -> None:
    """An autosaved notebook that is renamed and opened stays an autosave."""
    await client.put("a.ipynb", notebook("x = 1"), agent=BROWSER)
    await client.rename("a.ipynb", "b.ipynb")
    await client.ask("GET", "api/contents", "b.ipynb")
    heartbeat = client.service.heartbeat
    heartbeat.look("b.ipynb", heartbeat._watched["b.ipynb"])
    assert await client.reasons("b.ipynb") == ["autosave"]


async def test_a_notebook_that_is_being_written_is_not_called_damaged_yet(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program has written half of it a moment ago: it is looked at again."""
    monkeypatch.setattr(heartbeat_module, "_SETTLE_NS", 3_600_000_000_000)
    await client.put("a.ipynb", notebook("x = 1"))
    file, heartbeat = client.file("a.ipynb"), client.service.heartbeat
    file.write_bytes(file.read_bytes()[:40])
    heartbeat.look("a.ipynb", heartbeat._watched["a.ipynb"])
    assert heartbeat.damages == []
    _age(client, "a.ipynb")
    heartbeat.look("a.ipynb", heartbeat._watched["a.ipynb"])
    assert [each.path for each in heartbeat.damages] == ["a.ipynb"]


async def test_a_notebook_that_goes_while_it_is_looked_at_is_no_failure(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quick renames leave nothing behind in the health of the server."""
    await client.put("a.ipynb", notebook("x = 1"))
    file, heartbeat = client.file("a.ipynb"), client.service.heartbeat
    recorder = client.service.recorder
    _age(client, "a.ipynb")
    is_known = recorder.is_known

    def is_known_and_gone(path: str, stamp: Any) -> bool:
        known = bool(is_known(path, stamp))
        file.unlink(missing_ok=True)
        return known

    monkeypatch.setattr(recorder, "is_known", is_known_and_gone)
    heartbeat._watched["a.ipynb"].is_opened = False
    heartbeat._look_quietly("a.ipynb")
    heartbeat._watched["a.ipynb"].is_opened = True
    file.write_bytes(written(notebook("x = 2")))
    heartbeat._look_quietly("a.ipynb")
    assert (recorder.failed, recorder.last_failure) == (0, "")


async def test_what_a_look_reads_while_a_restore_begins_is_kept_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look reads the edited file, a restore keeps and replaces it, then the look goes on."""
    await client.put("a.ipynb", notebook("x = 1"))
    first = (await client.checkpoints("a.ipynb"))[0]["id"]
    service, file = client.service, str(client.file("a.ipynb"))
    client.file("a.ipynb").write_bytes(written(notebook("from outside")))
    _age(client, "a.ipynb")
    readings = service.recorder.readings
    take, restored = readings.take, []

    def take_and_wait(reading: Any) -> Any:
        taken = take(reading)
        taken.result(60)
        if not restored:
            restored.append(service.desk.restore(file, first).result(60))
        return taken

    monkeypatch.setattr(readings, "take", take_and_wait)
    service.heartbeat.see("a.ipynb", is_opened=True)
    await eventually(lambda: restored and not service.recorder.queued)
    assert await client.reasons("a.ipynb") == ["save", "before-restore", "restore"]
