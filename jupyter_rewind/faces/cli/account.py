"""The user as whom `jupyter rewind serve` works, where root starts it and asks for another.

The whole command becomes that user, for good, before it opens a store or starts anything: all that
it and Jupyter write is that user's, and nothing is left through which root's rights come back. What
only root may read or do is then not done for the user, but named.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.errors import Denied, InvalidInput

_STAY = ("", "-1")
_NOTHING = "Nothing was started."
_HOMELESS = 3
_PROBE = f"""
import os, sys
if not os.access(os.environ["HOME"], os.R_OK | os.W_OK | os.X_OK): sys.exit({_HOMELESS})
import jupyter_rewind.settings
"""
_PROBE_SECONDS = 60
_FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
_FIRST_FREE_PORT = 1024


@dataclass(frozen=True, slots=True)
class Account:
    """A user with a group, and `groups`, all that the user is in."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    def become(self) -> list[str]:
        """This process is that user's from now on, and cannot go back; the answer is what to tell.

        Raises InvalidInput where the user could not run Jupyter; nothing has changed then.
        """
        environment = self._environment()
        self._try(environment)
        try:
            os.setgroups(self.groups)
            os.setgid(self.gid)
            os.setuid(self.uid)
        except OSError as error:
            raise self._refused(error) from error
        self._require_for_good()
        os.environ.clear()
        os.environ.update(environment)
        if os.access(".", os.R_OK | os.X_OK):
            return []
        before, home = os.getcwd(), os.environ["HOME"]
        os.chdir(home)
        os.environ["PWD"] = home
        return [f"Started in {home}: {self.name} may not look into {before}."]

    def require_readable(self, paths: Iterable[str]) -> None:
        """Raises InvalidInput for the first file that the user, who one is by now, cannot read."""
        for path in paths:
            if not os.access(path, os.R_OK):
                raise InvalidInput(
                    f"{self.name}, as whom Jupyter would run, cannot read {path}.",
                    hint=f"{_NOTHING} Let that user, or a group of its, read it.",
                )

    def require_writable(self, path: str) -> None:
        """Raises InvalidInput for a file that the user could not append to, or make."""
        if not os.access(path if os.path.exists(path) else os.path.dirname(path), os.W_OK):
            raise InvalidInput(
                f"{self.name}, as whom Jupyter would run, cannot write {path}.",
                hint=f"{_NOTHING} Make the file before, and give it to that user.",
            )

    def require_ports(self, ports: Iterable[int]) -> None:
        """Raises InvalidInput for the first port at which the user may not listen."""
        for port in ports:
            if 0 < port < _FIRST_FREE_PORT and not _may_listen(port):
                raise InvalidInput(
                    f"{self.name}, as whom Jupyter would run, may not listen at port {port}.",
                    hint=f"{_NOTHING} Take a port from {_FIRST_FREE_PORT} on, and let nginx or"
                    f" Caddy listen at {port}.",
                )

    def _environment(self) -> dict[str, str]:
        """Without what came from the home of whoever started the command."""
        found = dict(os.environ)
        if self.uid == os.geteuid():
            return found
        homes = _starters_homes()
        if found.get("HOME", "") in ("", "/", *homes):
            found["HOME"] = self.home
        found |= {"USER": self.name, "LOGNAME": self.name}
        for name in _FOLDERS:
            if any(_lies_in(found.get(name, ""), home) for home in homes):
                del found[name]
        with contextlib.suppress(KeyError, OSError):
            if os.stat(found["XDG_RUNTIME_DIR"]).st_uid != self.uid:
                del found["XDG_RUNTIME_DIR"]
        return found

    def _try(self, environment: Mapping[str, str]) -> None:
        """Another process becomes the user first, while root's can still tell what fails."""
        try:
            done = subprocess.run(
                [sys.executable, "-c", _PROBE], env=environment, stdin=subprocess.DEVNULL,
                user=self.uid, group=self.gid, extra_groups=self.groups, capture_output=True,
                text=True, errors="replace", timeout=_PROBE_SECONDS,
            )  # fmt: skip
        except OSError as error:
            if error.errno == errno.EPERM:  # of the change itself; EACCES is of the program
                raise self._refused(error) from error
            raise self._unable(f"cannot run {sys.executable}: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            why = f"it does not end within {_PROBE_SECONDS} seconds"
            raise self._unable(f"cannot run {sys.executable}: {why}") from error
        if done.returncode == _HOMELESS:
            raise InvalidInput(
                f"{self.name} has no home folder to work in: {environment['HOME']}.",
                hint=f"{_NOTHING} Set HOME, for this command, to a folder of that user's.",
            )
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
            raise self._unable(f"cannot run Jupyter Rewind with {sys.executable}: {why}")

    def _refused(self, error: OSError) -> Denied:
        return Denied(
            f"The system refuses to become {self.name}: {error.strerror}.",
            hint=f"{_NOTHING} Root needs CAP_SETUID and CAP_SETGID for it.",
        )

    def _unable(self, what: str) -> InvalidInput:
        return InvalidInput(
            f"{self.name} {what}.", hint=f"{_NOTHING} Install it where that user may read it."
        )

    def _require_for_good(self) -> None:
        now = (os.getuid(), os.geteuid(), os.getgid(), os.getegid())
        is_theirs = now == (self.uid, self.uid, self.gid, self.gid)
        # macOS answers with groups of a directory, whatever was set.
        if sys.platform == "linux":
            is_theirs = is_theirs and set(os.getgroups()) == set(self.groups)
        if not is_theirs or (self.uid != 0 and _can_go_back()):
            raise Denied(f"Root's rights could be taken back by {self.name}.", hint=_NOTHING)


def find_account(user: str, group: str) -> Account | None:
    """Who is to be become, by names or numbers; None where one is that user already or stays.

    Raises InvalidInput for a user or a group that does not exist, and where one is not root.
    """
    user, group = ("" if each.strip() in _STAY else each.strip() for each in (user, group))
    if not (user or group):
        return None
    if os.name != "posix":
        raise InvalidInput("serve.uid and serve.gid have no meaning on this system.", hint=_NOTHING)
    me = os.geteuid()
    name, uid, gid, home = _user(user) if user else _myself()
    if group:
        gid = _group(group)
    elif uid == me:
        gid = os.getegid()
    if (uid, gid) == (me, os.getegid()):
        return None
    if me != 0:
        raise InvalidInput(
            f"Only root can run Jupyter as another user: serve.uid is {user or 'not set'},"
            f" serve.gid {group or 'not set'}.",
            hint=f"{_NOTHING} Start it as root, or without the two.",
        )
    # Root that only changes its group keeps what it is in.
    groups = os.getgrouplist(name, gid) if uid != me else os.getgroups()
    several = dict.fromkeys((gid, *groups))
    return Account(name, uid, gid, tuple(several)[: os.sysconf("SC_NGROUPS_MAX")], home)


def _user(text: str) -> tuple[str, int, int, str]:
    import pwd

    try:
        found = pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
    except (KeyError, ValueError, OverflowError) as error:
        raise InvalidInput(f"There is no user {text} (serve.uid).", hint=_NOTHING) from error
    return found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir


def _group(text: str) -> int:
    import grp

    try:
        found = grp.getgrgid(int(text)) if text.isdecimal() else grp.getgrnam(text)
    except (KeyError, ValueError, OverflowError) as error:
        raise InvalidInput(f"There is no group {text} (serve.gid).", hint=_NOTHING) from error
    return found.gr_gid


def _myself() -> tuple[str, int, int, str]:
    import pwd

    me, name = os.geteuid(), ""
    with contextlib.suppress(KeyError):
        name = pwd.getpwuid(me).pw_name
    return name or f"user {me}", me, os.getegid(), os.path.expanduser("~")


def _starters_homes() -> set[str]:
    """Root's, and that of who called sudo, which may have left it in HOME."""
    import pwd

    found = {"/root"}
    with contextlib.suppress(KeyError):
        found.add(pwd.getpwuid(0).pw_dir)
    with contextlib.suppress(KeyError, ValueError):
        found.add(pwd.getpwnam(os.environ["SUDO_USER"]).pw_dir)
    return found - {"", "/"}


def _lies_in(path: str, folder: str) -> bool:
    return Path(path).is_absolute() and Path(folder) in (Path(path), *Path(path).parents)


def _can_go_back() -> bool:
    try:
        os.setuid(0)
    except OSError:
        return False
    return True


def _may_listen(port: int) -> bool:
    """False only where the system forbids it: a port that is taken is Jupyter's to tell."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return False
        except OSError:
            return True
    return True
