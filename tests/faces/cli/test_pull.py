"""`jupyter rewind pull`: histories first and then their contents, from a user's chair."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from jupyter_rewind.replication import Replication
from jupyter_rewind.store.replica.turns import taking_turns
from jupyter_rewind.store.repository import Repository
from tests.faces.cli.conftest import (
    COMMAND,
    SECOND,
    Rewind,
    cell,
    notebook_bytes,
    pushed_and_lost,
    stream,
)
from tests.faces.cli.test_schema import check


def test_on_a_new_machine_the_first_command_brings_the_histories(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """With the setting and the key in their places nobody has to say pull: histories come at once,
    and contents as they are read; that is said, once. Without the key it says where that goes, and
    no other store is begun."""
    line = f"replica.url={mount.as_uri()}"
    text = random.Random(1).randbytes(800_000).hex()
    book.write_bytes(notebook_bytes(cell("load", "print(text)", stream(text))))
    assert rewind("checkpoint", book, "--set", line).status == 0
    assert rewind("replica", "push", "--set", line).status == 0
    [key] = (home / "config" / "rewind-keys").iterdir()
    kept = key.read_bytes()
    key.unlink()
    shutil.rmtree(home / "data")
    told = rewind("history", book, "--set", line)
    assert told.status == 6 and str(key) in told.err
    told = rewind("checkpoint", book, "--set", line)
    assert told.status == 6 and not (home / "data").exists()
    key.write_bytes(kept)
    found = rewind("history", book, "--set", line)
    assert found.status == 0 and len(found.rows) == 4
    assert "are in a replica alone" in found.err and "`jupyter rewind pull` brings" in found.err
    assert rewind("history", book, "--set", line).err == ""
    absent = rewind("stats", "--json").data["absent_bytes"]
    assert absent > 500_000
    before = book.read_bytes()
    assert (
        rewind("restore", book, "head", "--output", home / "out.ipynb", "--set", line).status == 0
    )
    assert (home / "out.ipynb").read_bytes() == before
    assert rewind("pull", "--set", line).status == 0
    assert rewind("verify", "--read-data").status == 0
    assert rewind("stats", "--json").data["absent_bytes"] == 0


@pytest.mark.parametrize("words", [["pull"], ["verify"]])
def test_a_store_that_comes_in_the_clear_against_the_setting_is_told(
    home: Path, book: Path, rewind: Rewind, mount: Path, words: list[str]
) -> None:
    """What is in the clear in its replica is so here, though the setting asks for another store:
    said once, when it comes, with the way to encrypt it."""
    line = ("--set", f"replica.url={mount.as_uri()}")
    assert rewind("replica", "push", *line).status == 0
    mend = "`jupyter rewind key rotate --encrypt --yes`"
    for wanted in ("false", "true"):
        shutil.rmtree(home / "data")
        told = rewind(*words, *line, "--set", f"store.encrypt={wanted}")
        assert told.status == 0 and (mend in told.err) is (wanted == "true"), told
    assert mend not in rewind(*words, *line, "--set", "store.encrypt=true").err


def test_histories_come_at_once_and_contents_as_they_are_read(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """After `pull --lazy` the history is there; large contents come as they are read, and while
    the replica is away it is said what is missing; a plain pull brings the rest."""
    text = random.Random(1).randbytes(800_000).hex()
    large = notebook_bytes(cell("load", "print(text)", stream(text)))
    book.write_bytes(large)
    line = ("--set", f"replica.url={mount.as_uri()}")
    assert rewind("checkpoint", book, *line).status == 0
    assert rewind("replica", "push", *line).status == 0
    shutil.rmtree(home / "data")
    told = rewind("replica", "pull", "--lazy", *line)
    assert told.status == 0 and "come as they are read" in told.out
    assert rewind("replica", "pull", "--lazy", *line, "--json").data["replicas"][0]["segments"] == 0
    found = rewind("history", book, *line, "--json")
    assert len(found.data["checkpoints"]) == 4
    absent = check(rewind("stats", *line, "--json").out)["data"]["absent_bytes"]
    assert absent > 500_000
    for words in (["stats"], ["replica", "status"], ["verify"], ["verify", "--read-data"]):
        told = rewind(*words, *line)
        assert told.status == 0 and "in a replica alone" in told.out + told.err, told
    assert "in a replica alone" in rewind("doctor", *line).out
    rewind("replica", "add", mount.as_uri())
    told = rewind("replica", "remove", mount.as_uri())
    assert told.status == 7 and "still only in" in told.err and "replica pull" in told.err
    assert len(rewind("replica", "list", "--json").data["replicas"]) == 1
    away = mount.rename(mount.with_name("away"))
    told = rewind("restore", book, "head", "--output", home / "out.ipynb", *line)
    assert told.status == 6 and "analysis.ipynb" in told.err, told.err
    assert "still only in the replica" in told.err and "Nothing is lost" in told.err
    assert not (home / "out.ipynb").exists()
    away.rename(mount)
    told = rewind("replica", "pull", *line, "--json")
    assert told.data["replicas"][0]["filled_bytes"] == absent
    mount.rename(mount.with_name("away"))
    assert check(rewind("stats", *line, "--json").out)["data"]["absent_bytes"] == 0
    assert rewind("restore", book, "head", "--output", home / "out.ipynb", *line).status == 0
    assert (home / "out.ipynb").read_bytes() == large
    assert rewind("replica", "remove", mount.as_uri()).status == 0


def test_pull_brings_the_histories_of_all_replicas_and_then_their_contents(
    home: Path, book: Path, rewind: Rewind, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One word on a new machine; the contents of the first keep nobody from the histories of the
    second, and a replica that is not there keeps nobody from the others."""
    other, gone = mount.with_name("other"), mount.with_name("gone")
    other.mkdir()
    gone.mkdir()
    text = random.Random(1).randbytes(800_000).hex()
    book.write_bytes(notebook_bytes(cell("load", "print(text)", stream(text))))
    urls = [each.as_uri() for each in (mount, gone, other)]
    line = ("--set", f"replica.url={' '.join(urls)}")
    assert rewind("checkpoint", book, *line).status == 0
    assert rewind("replica", "push", *line).status == 0
    (home / "work" / "later.ipynb").write_bytes(SECOND)
    assert rewind("checkpoint", "later.ipynb", *line).status == 0
    assert rewind("replica", "push", other.as_uri(), *line).status == 0
    shutil.rmtree(home / "data")
    shutil.rmtree(gone)
    seen: list[tuple[int, int]] = []
    fill = Replication.fill

    def watched(self: Replication, url: str, progress: object = None) -> int:
        told = self.count_absent(), len(list((home / "data/rewind/segments").glob("[!.]*")))
        seen.append(told)
        return fill(self, url)

    monkeypatch.setattr(Replication, "fill", watched)
    told = rewind("pull", *line)
    assert told.status == 6 and str(gone) in told.err
    assert all(url in told.err for url in (mount.as_uri(), other.as_uri()))
    assert seen[0][0] > 500_000 and seen[1] == (0, seen[0][1])
    assert rewind("pull", "moun", *line, "--json").data["replicas"][0]["segments"] == 0
    for each in (mount, other):
        each.rename(each.with_name(f"{each.name}-away"))
    assert len(rewind("history", "later.ipynb", *line, "--json").data["checkpoints"]) == 1
    assert rewind("restore", book, "head", "--output", home / "out.ipynb", *line).status == 0
    assert (home / "out.ipynb").read_bytes() == book.read_bytes()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_who_stops_a_pull_behind_the_histories_has_them(
    home: Path, book: Path, rewind: Rewind, mount: Path, stop: signal.Signals
) -> None:
    """Ctrl-C and kill -9 leave a store that works: contents come as they are read, what is not
    here is told, nothing of it is collected, and the next pull brings the rest."""
    line = ("--set", f"replica.url={mount.as_uri()}")
    for number in range(3):
        text = random.Random(number).randbytes(800_000).hex()
        book.write_bytes(notebook_bytes(cell("load", "print(text)", stream(text))))
        assert rewind("checkpoint", book, *line).status == 0
        # In a segment, and a pack, of its own.
        assert rewind("replica", "push", *line).status == 0
    large = book.read_bytes()
    shutil.rmtree(home / "data")
    slow = subprocess.Popen(
        [*COMMAND, "pull", *line, "--set", "replica.rate_kb=20"], stderr=subprocess.PIPE
    )
    try:
        assert slow.stderr is not None
        # The first content comes at once, and the next one waits for a minute of its turn.
        partial = home / "data/rewind/partial"
        while not partial.exists():
            assert slow.poll() is None, slow.stderr.read()
            time.sleep(0.02)
        while not 0 < rewind("stats", "--json").data["absent_bytes"] < 2_000_000:
            assert slow.poll() is None, slow.stderr.read()
        slow.send_signal(stop)
        told = slow.stderr.read().decode()
        assert slow.wait() == (130 if stop == signal.SIGINT else -stop)
    finally:
        slow.kill()
        slow.wait()
    if stop == signal.SIGINT:
        assert "All histories are here." in told and "in a replica alone" in told, told
    assert len(rewind("history", book, *line, "--json").data["checkpoints"]) == 6
    for words in (["stats"], ["verify", "--read-data"], ["doctor"], ["collect"]):
        told = rewind(*words, *line)
        assert told.status == 0
        assert words == ["collect"] or "in a replica alone" in told.out + told.err, told
    assert rewind("restore", book, "head", "--output", home / "out.ipynb", *line).status == 0
    assert (home / "out.ipynb").read_bytes() == large
    assert rewind("pull", *line).status == 0
    mount.rename(mount.with_name("away"))
    assert rewind("stats", *line, "--json").data["absent_bytes"] == 0
    assert rewind("verify", "--read-data", *line).status == 0
    for ref in ("head~1", "head~2"):
        assert rewind("restore", book, ref, "--output", home / f"{ref}.ipynb", *line).status == 0


def test_a_replica_that_goes_while_contents_come_is_no_silent_loss(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """The histories are here then; it is said what is not, and where it lies."""
    line = pushed_and_lost(home, book, rewind, mount)
    packs = (mount / "packs").rename(mount / "elsewhere")
    told = rewind("pull", *line)
    assert told.status == 5, told
    assert "has lost packs/" in told.err and "All histories are here." in told.err
    assert "in a replica alone" in told.err
    assert len(rewind("history", book, *line, "--json").data["checkpoints"]) == 4
    told = rewind("restore", book, "head", "--output", home / "out.ipynb", *line)
    assert told.status in {5, 6} and "analysis.ipynb" in told.err
    packs.rename(mount / "packs")
    assert rewind("pull", *line).status == 0
    assert rewind("verify", "--read-data", *line).status == 0


def test_beside_a_server_that_fills_a_pull_brings_the_histories(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """The contents come by the server, which is said; the next pull finds the rest."""
    line = pushed_and_lost(home, book, rewind, mount)
    assert rewind("pull", "--lazy", *line).status == 0
    [key] = (home / "config" / "rewind-keys").iterdir()
    with (
        Repository.open(home / "data/rewind", key_folder=key.parent) as repository,
        taking_turns(repository.layout, "fill", "Another one"),
    ):
        told = rewind("pull", *line)
    assert told.status == 4 and "fills the store" in told.err, told
    assert "All histories are here." in told.err and "in a replica alone" in told.err
    assert rewind("pull", *line).status == 0
    assert rewind("stats", "--json").data["absent_bytes"] == 0
