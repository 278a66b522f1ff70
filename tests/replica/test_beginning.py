"""A server on a fresh machine whose replica does not answer in the first moment."""

from __future__ import annotations

import io
import json
import logging
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyter_rewind import beginning
from jupyter_rewind.beginning import Beginning
from jupyter_rewind.errors import Conflict, Denied, Format, NotFound, RewindError, Unavailable
from jupyter_rewind.faces.ipython.firstuse import meet_replicas
from jupyter_rewind.faces.server.opening import Opening
from jupyter_rewind.remains import take_remains
from jupyter_rewind.replication import Replication, mending_command
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.salvage import salvage
from jupyter_rewind.workspace import Workspace
from tests.notebooks.support import make_notebook


def settings_of(folder: Path, mount: Path) -> Rewind:
    folder.mkdir(exist_ok=True)
    return Rewind(
        store_path=str(folder / "store"),
        store_key_folder=str(folder / "keys"),
        replica_url=mount.as_uri(),
    )


def save(workspace: Workspace, path: Path, source: str) -> None:
    path.write_bytes(make_notebook(source))
    workspace.checkpoint(str(path))


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    (tmp_path / "mount").mkdir()
    return tmp_path / "mount"


@pytest.fixture
def first(tmp_path: Path, mount: Path) -> Rewind:
    """A machine that has pushed."""
    settings = settings_of(tmp_path / "first", mount)
    with Workspace.open(settings) as workspace:
        save(workspace, tmp_path / "a.ipynb", "x = 1")
    [url] = Replication(settings).urls
    Replication(settings).push(url)
    return settings


class Refusing:
    """A place whose credentials have expired."""

    place = "s3://bucket/prefix"

    def get(self, key: str) -> bytes:
        raise Denied(f"Could not read {key}: ExpiredToken.")


@pytest.mark.parametrize("refuses", [False, True])
def test_with_the_key_alone_it_is_the_same_store(
    refuses: bool, tmp_path: Path, mount: Path, first: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is saved while the replica is away, or takes no credentials, and what it holds, come
    together when it is back: nothing of that session is on this machine alone."""
    second = settings_of(tmp_path / "second", mount)
    shutil.copytree(first.store_key_folder, second.store_key_folder)
    away = mount.rename(tmp_path / "away")
    opening = Opening(second)
    with monkeypatch.context() as patch:
        if refuses:
            patch.setattr(Replication, "open", lambda *_, **__: Refusing())
        save(opening.workspace(), tmp_path / "b.ipynb", "y = 1")
        opening.close()
    away.rename(mount)
    replicas = Replication(second)
    [url] = replicas.urls
    replicas.pull(url)
    assert replicas.push(url).entries
    for settings in (first, second):
        Replication(settings).pull(url)
        with Workspace.open(settings) as workspace:
            for name in ("a.ipynb", "b.ipynb"):
                assert workspace.checkpoints(str(tmp_path / name)), name


@pytest.mark.parametrize("keys", [0, 2])
def test_without_one_key_nobody_can_tell(
    keys: int, tmp_path: Path, mount: Path, first: Rewind
) -> None:
    """With none, or with several, no store is guessed at."""
    second = settings_of(tmp_path / "second", mount)
    Path(second.store_key_folder).mkdir()
    [key] = Path(first.store_key_folder).glob("*.key")
    for number in range(keys):
        shutil.copy(key, Path(second.store_key_folder, f"{number:032x}.key"))
    mount.rename(tmp_path / "away")
    assert not Beginning(second).found_by_key()
    assert not Path(second.store_path, "config").exists()


def begun_while_away(tmp_path: Path, mount: Path, first: Rewind) -> tuple[Rewind, Path]:
    """A machine with the key, on which something was saved while the replica was away."""
    second = settings_of(tmp_path / "second", mount)
    shutil.copytree(first.store_key_folder, second.store_key_folder)
    away = mount.rename(tmp_path / "away")
    opening = Opening(second)
    save(opening.workspace(), tmp_path / "b.ipynb", "y = 1")
    opening.close()
    return second, away


def lead_kernel(settings: Rewind, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with these settings asks, as its own process."""
    names = ("replica_url", "store_path", "store_key_folder", "store_encrypt")
    facts = {name: getattr(settings, name) for name in names}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(facts)))


def alone(settings: Rewind) -> Rewind:
    """The same machine before it was told of any replica."""
    return Rewind(store_path=settings.store_path, store_key_folder=settings.store_key_folder)


def test_a_store_that_nothing_was_kept_in_gives_way(
    tmp_path: Path, mount: Path, first: Rewind
) -> None:
    """A server was started here before it was told of the replica: what that holds comes all the
    same, the server that runs shows it, and what is saved goes there."""
    second = settings_of(tmp_path / "second", mount)
    opening = Opening(alone(second))
    assert not opening.workspace().all()
    shutil.copytree(first.store_key_folder, second.store_key_folder, dirs_exist_ok=True)
    replicas = Replication(second)
    [url] = replicas.urls
    assert replicas.pull(url)[1]
    assert opening.workspace().checkpoints(str(tmp_path / "a.ipynb"))
    save(opening.workspace(), tmp_path / "b.ipynb", "y = 1")
    opening.close()
    assert replicas.push(url).entries
    assert Replication(first).pull(url)[0].entries


def test_it_gives_way_to_a_server_that_starts(tmp_path: Path, mount: Path, first: Rewind) -> None:
    """The key and the address came while no server ran: the next one has what the replica holds,
    as soon as it was pulled; without the key it goes on with its own store."""
    second = settings_of(tmp_path / "second", mount)
    Workspace.open(alone(second)).close()
    own = (Path(second.store_path) / "config").read_bytes()
    opening = Opening(second)
    opening.workspace()
    opening.close()
    assert (Path(second.store_path) / "config").read_bytes() == own
    shutil.copytree(first.store_key_folder, second.store_key_folder, dirs_exist_ok=True)
    opening = Opening(second)
    opening.workspace()
    [url] = Replication(second).urls
    assert Replication(second).pull(url)[0].entries
    assert opening.workspace().checkpoints(str(tmp_path / "a.ipynb"))
    opening.close()


def test_until_then_it_is_told_how_it_gives_way(tmp_path: Path, mount: Path, first: Rewind) -> None:
    """Nobody is told to remove the replica that the machine is to have its work from."""
    second = settings_of(tmp_path / "second", mount)
    Workspace.open(alone(second)).close()
    replicas = Replication(second)
    [url] = replicas.urls
    for ask in (replicas.push, replicas.standing):
        with pytest.raises(Conflict, match="nothing was kept in it yet") as told:
            ask(url)
        assert "jupyter rewind key import" in told.value.hint
        assert mending_command(told.value, url) == f"jupyter rewind replica pull {url}"


@pytest.mark.parametrize("begun", [True, False])
def test_it_gives_way_when_the_replica_is_added(
    begun: bool, tmp_path: Path, mount: Path, first: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server that runs saves before anybody has pulled goes to the replica's store, as where
    there was none yet."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    second = settings_of(tmp_path / "second", mount)
    second.store_encrypt = True
    opening = Opening(alone(second))
    if begun:
        opening.workspace()
    shutil.copytree(first.store_key_folder, second.store_key_folder, dirs_exist_ok=True)
    replicas = Replication(second)
    [url] = replicas.urls
    assert "store.encrypt is on" in replicas.add(url).missed_encryption
    save(opening.workspace(), tmp_path / "b.ipynb", "y = 1")
    opening.close()
    assert replicas.pull(url)[0].entries
    assert replicas.push(url).entries


@pytest.mark.parametrize("begun", [True, False])
def test_a_replica_in_the_clear_is_never_called_encrypted(
    begun: bool, tmp_path: Path, mount: Path, first: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a machine that has no store yet: it is refused, and no setting is changed."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    second = settings_of(tmp_path / "second", mount)
    if begun:
        Opening(alone(second)).close()
    shutil.copytree(first.store_key_folder, second.store_key_folder, dirs_exist_ok=True)
    replicas = Replication(second)
    [url] = replicas.urls
    with pytest.raises(Conflict, match="not encrypted"):
        replicas.add(url, encrypt=True)
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize("asks", ["server", "kernel", "unused"])
def test_a_store_in_the_clear_is_told_where_it_was_to_be_encrypted(
    asks: str,
    tmp_path: Path,
    mount: Path,
    first: Rewind,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is that of a replica in the clear: the log says so, and what to do."""
    second = settings_of(tmp_path / "second", mount)
    second.store_encrypt = True
    if asks == "unused":
        own = alone(second)
        own.store_encrypt = True
        Workspace.open(own).close()
    shutil.copytree(first.store_key_folder, second.store_key_folder, dirs_exist_ok=True)
    if asks == "kernel":
        lead_kernel(second, monkeypatch)
        assert beginning.main() == 0
        said = capsys.readouterr().out
    else:
        opening = Opening(second)
        assert not opening.workspace().repository.layout.is_encrypted
        opening.close()
        said = caplog.text
    assert "rotate --encrypt --yes" in said


def test_a_key_without_its_replica_is_told(
    tmp_path: Path, mount: Path, first: Rewind, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that this machine has never seen may be away: nobody can know, and the log says it."""
    second = settings_of(tmp_path / "second", mount)
    shutil.copytree(first.store_key_folder, second.store_key_folder)
    mount.rename(tmp_path / "away")
    mount.mkdir()
    Opening(second).workspace().close()
    assert "mount it before anything is saved" in caplog.text


@pytest.mark.parametrize("way", ["kept", "lost", "pushed"])
def test_a_store_that_was_used_stays(way: str, tmp_path: Path, mount: Path, first: Rewind) -> None:
    """Something is in it, or was, or a replica knows of it: the other one is refused."""
    second = settings_of(tmp_path / "second", mount)
    other = tmp_path / "other"
    other.mkdir()
    with Workspace.open(alone(second)) as workspace:
        if way != "pushed":
            save(workspace, tmp_path / "b.ipynb", "y = 1")
    segments = Path(second.store_path) / "segments"
    if way == "pushed":
        Replication(settings_of(tmp_path / "second", other)).push(other.as_uri())
    elif way == "lost":
        shutil.rmtree(segments)
        segments.mkdir()
    config = (Path(second.store_path) / "config").read_bytes()
    shutil.copytree(first.store_key_folder, second.store_key_folder, dirs_exist_ok=True)
    replicas = Replication(second)
    [url] = replicas.urls
    with pytest.raises(Conflict, match="another store") as told:
        replicas.pull(url)
    assert mending_command(told.value, url) == f"jupyter rewind replica remove {url}"
    assert (Path(second.store_path) / "config").read_bytes() == config


def test_what_is_awaited_comes_with_a_later_command(
    tmp_path: Path, mount: Path, first: Rewind
) -> None:
    """No command keeps silent about it: it is asked for until it has come, and then no more."""
    second, away = begun_while_away(tmp_path, mount, first)
    assert Beginning(second).is_due and Beginning(second).has_work
    with pytest.raises(Unavailable):
        Beginning(second).adopt()
    away.rename(mount)
    brought = Beginning(second).adopt()
    assert brought is not None and brought.report.entries
    assert not Beginning(second).is_due
    with Workspace.open(second) as workspace:
        for name in ("a.ipynb", "b.ipynb"):
            assert workspace.checkpoints(str(tmp_path / name)), name


def test_nothing_is_awaited_from_an_empty_place(tmp_path: Path, mount: Path, first: Rewind) -> None:
    """There never was a replica: that is asked once, and what was saved makes it."""
    second, _ = begun_while_away(tmp_path, mount, first)
    mount.mkdir()
    assert Beginning(second).adopt() is None
    assert not Beginning(second).is_due
    [url] = Replication(second).urls
    assert Replication(second).push(url).entries


@pytest.mark.parametrize("is_away", [True, False])
def test_records_without_a_config_are_left_to_salvage(
    is_away: bool, tmp_path: Path, mount: Path, first: Rewind
) -> None:
    """A store that lost its config is begun anew by nobody, be it a kernel, a server or a command,
    and whether or not the replica answers: its records stay, and a salvage shows them again."""
    store, keys = Path(first.store_path), Path(first.store_key_folder)
    [url] = Replication(first).urls
    (store / "config").unlink()
    if is_away:
        mount.rename(tmp_path / "away")
    meet_replicas(first)
    with pytest.raises(Format, match="lost its config"):
        Opening(first).workspace()
    assert not Beginning(first).is_due
    with pytest.raises(Unavailable if is_away else Format):
        Beginning(first).found()
    with pytest.raises(Format, match="lost its config"):
        Beginning(first).found_by_key()
    with pytest.raises(Unavailable if is_away else Format):
        Replication(first).pull(url)
    assert isinstance(take_remains(Replication(first), [url])[url], RewindError)
    assert not (store / "config").exists()
    salvage(store, keys, files=Files())
    with Workspace.open(first) as workspace:
        assert workspace.checkpoints(str(tmp_path / "a.ipynb"))


@pytest.mark.parametrize("has_key", [True, False])
def test_a_kernel_hears_when_it_waited_in_vain(
    has_key: bool,
    tmp_path: Path,
    mount: Path,
    first: Rewind,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Replicas that take the call and say nothing: the log of the kernel says which store it has
    then, the one of the key or another one."""
    second = settings_of(tmp_path / "second", mount)
    if has_key:
        shutil.copytree(first.store_key_folder, second.store_key_folder)
    lead_kernel(second, monkeypatch)
    monkeypatch.setattr(beginning, "_PATIENCE_SECONDS", 0.05)
    ends = threading.Event()

    def wait(*_: object, **__: object) -> None:
        ends.wait()
        raise NotFound("There is no replica.")

    monkeypatch.setattr(Replication, "open", wait)
    try:
        assert beginning.main() == 0
        said = capsys.readouterr().out
    finally:
        ends.set()
    assert ("comes when they answer" if has_key else "A store of its own") in said
    assert Path(second.store_path, "config").exists() == has_key


@pytest.mark.parametrize("way", ["stopped", "embedded"])
def test_asking_whose_store_it_is_breaks_no_kernel(
    way: str,
    tmp_path: Path,
    mount: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ctrl-C ends the waiting and not the kernel, and a Python within another program, which has no
    command of its own, goes on as well."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    if way == "stopped":
        monkeypatch.setattr(subprocess, "run", stop)
    else:
        monkeypatch.setattr(sys, "executable", None)
    with caplog.at_level(logging.WARNING):
        meet_replicas(settings_of(tmp_path / "second", mount))
    assert "were not asked" in caplog.text
