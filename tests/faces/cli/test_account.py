"""As whom `jupyter rewind serve` runs Jupyter: who may ask for it, and what it means."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.cli.account import find_account
from jupyter_rewind.faces.cli.findings import State
from jupyter_rewind.faces.cli.hostcheck import check_serve
from jupyter_rewind.faces.cli.serve import _defaults
from jupyter_rewind.settings import Rewind as Settings
from tests.faces.cli.conftest import Rewind
from tests.support.anybody import NOBODY, any_python, any_python_paths
from tests.support.processes import anybodys_folder, run_in_fork, run_unprivileged

pytestmark = pytest.mark.skipif(os.name != "posix", reason="users as Unix has them")
needs_root = pytest.mark.skipif(
    os.name == "posix" and os.geteuid() != 0, reason="only root can become another user"
)


@pytest.mark.parametrize("nothing", ["", "-1", " -1 "])
def test_who_names_nobody_stays_who_one_is(nothing: str) -> None:
    """JuSnap's own word for it is -1. One's own number is no other user either."""
    assert find_account(nothing, nothing) is None
    assert find_account(str(os.geteuid()), nothing) is None
    assert find_account(str(os.geteuid()), str(os.getegid())) is None


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("serve.uid=no-such-user", "There is no user no-such-user"),
        ("serve.uid=4294967000", "There is no user 4294967000"),
        ("serve.uid=99999999999999999999", "There is no user 99999999999999999999"),
        ("serve.uid=-2", "There is no user -2"),
        ("serve.gid=no-such-group", "There is no group no-such-group"),
    ],
)
def test_a_user_or_group_that_does_not_exist_starts_nothing(
    rewind: Rewind, setting: str, words: str
) -> None:
    """One sentence, and status 2."""
    ended = rewind("serve", "--set", setting)
    assert ended.status == 2
    assert words in ended.err and "Nothing was started." in ended.err


def test_the_environment_and_the_settings_file_can_name_the_user(
    rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any other setting; a number there needs no quotes."""
    assert rewind("config", "set", "serve.uid", "4294967000").status == 0
    assert "4294967000" in rewind("serve").err
    monkeypatch.setenv("JUPYTER_REWIND_SERVE_UID", "no-such-user")
    assert "no-such-user" in rewind("serve").err
    settings = Settings()
    settings._take("serve_uid", 1000, "a file")
    assert settings.serve_uid == "1000"


def test_only_root_becomes_another_user() -> None:
    """Whoever else asks is told so; asking for oneself is no change."""

    def ask() -> None:
        assert find_account(str(os.geteuid()), "") is None
        with pytest.raises(InvalidInput, match="Only root can run Jupyter as another user"):
            find_account("root", "")
        with pytest.raises(InvalidInput, match="Only root"):
            find_account("", "0")

    run_unprivileged(ask)


@needs_root
def test_who_becomes_a_user_cannot_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """User, group and all groups are that user's, and so is the home; the umask is kept. A folder
    that the user may not look into is left for the home."""
    monkeypatch.setattr(sys, "executable", any_python())
    account = find_account(NOBODY, "")
    assert account is not None

    def become() -> None:
        os.umask(0o037)
        os.chdir(own)
        (remark,) = account.become()
        assert remark == f"Started in {theirs}: {account.name} may not look into {own}."
        assert os.getcwd() == os.environ["PWD"] == str(theirs)
        assert (os.getuid(), os.geteuid()) == (account.uid, account.uid)
        assert (os.getgid(), os.getegid()) == (account.gid, account.gid)
        assert 0 not in os.getgroups()
        for go_back in (os.setuid, os.seteuid, os.setgid, os.setegid):
            with pytest.raises(PermissionError):
                go_back(0)
        assert os.umask(0) == 0o037
        assert os.environ["USER"] == os.environ["LOGNAME"] == account.name
        assert os.environ["HOME"] == str(theirs)
        assert "XDG_DATA_HOME" not in os.environ and "XDG_RUNTIME_DIR" not in os.environ
        assert os.environ["XDG_CACHE_HOME"] == "/var/cache/theirs"

    with anybodys_folder() as folder:
        own, theirs = folder / "own", folder / "theirs"
        own.mkdir(mode=0o700)
        theirs.mkdir()
        os.chown(theirs, account.uid, account.gid)
        for name, value in {
            "HOME": theirs, "XDG_DATA_HOME": "/root/.data", "XDG_RUNTIME_DIR": own,
            "XDG_CACHE_HOME": "/var/cache/theirs", **any_python_paths(),
        }.items():  # fmt: skip
            monkeypatch.setenv(name, str(value))
        run_in_fork(become)


@needs_root
def test_what_the_user_may_not_do_is_named() -> None:
    """Root's rights are not used for it."""
    account = find_account(NOBODY, "")
    assert account is not None
    with anybodys_folder() as folder:
        key, log = folder / "server.key", folder / "jupyter.log"
        key.write_text("secret")
        key.chmod(0o600)

        def ask() -> None:
            with pytest.raises(InvalidInput, match=f"cannot read {key}"):
                account.require_readable([str(key)])
            with pytest.raises(InvalidInput, match=f"cannot write {log}"):
                account.require_writable(str(log))
            free = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
            if free.exists() and int(free.read_text()) > 80:
                with pytest.raises(InvalidInput, match="may not listen at port 80"):
                    account.require_ports([0, 80])

        run_unprivileged(ask)


@needs_root
def test_a_user_without_a_home_of_its_own_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The home of root's is none; nothing has changed then."""
    monkeypatch.setattr(sys, "executable", any_python())
    account = find_account(NOBODY, "")
    assert account is not None
    with anybodys_folder() as folder:
        monkeypatch.setenv("HOME", str(folder))
        with pytest.raises(InvalidInput, match=f"has no home folder to work in: {folder}"):
            account.become()
    assert os.geteuid() == 0


@needs_root
def test_serve_says_what_becomes_of_process_images() -> None:
    """One sentence; nothing turns them on that the user has not."""
    account, settings, remarks = find_account(NOBODY, ""), Settings(), list[str]()
    assert account is not None
    settings._take("kernels_criu", "/no/such/criu", "a file")
    assert "kernels.images" not in _defaults(settings, account, remarks)
    assert len(remarks) == 1
    assert "without the rights of root that images take; no process images: " in remarks[0]
    settings._take("kernels_images", False, "a file")
    _defaults(settings, account, remarks)
    assert remarks[1:] == [f"Jupyter runs as {account.name}, without root's rights."]


@needs_root
def test_doctor_says_as_whom_serve_runs_jupyter() -> None:
    """And that process images are then those of a user without rights."""
    settings = Settings()
    assert list(check_serve(settings)) == []
    settings.serve_uid = NOBODY
    (found,) = check_serve(settings)
    assert found.state is State.NOTE and "root's rights are given up" in found.text
    settings.serve_uid = "no-such-user"
    (found,) = check_serve(settings)
    assert found.state is State.PROBLEM and "no user no-such-user" in found.text
