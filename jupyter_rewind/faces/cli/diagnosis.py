"""What `doctor` finds out about an installation: what is on, what is not, why, and what mends it.

Each check looks at one thing and never raises. Jupyter's own config files are read the way Jupyter
reads them; a running server is asked itself, for it may have been started before the last change.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_config_dir, jupyter_config_path, jupyter_runtime_dir

from jupyter_rewind import __version__
from jupyter_rewind.errors import NotFound, RewindError
from jupyter_rewind.faces.cli import wording

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind, SettingProblem

LITTLE_ROOM = 1_000_000_000
_ASK_SECONDS = 3.0


class State(StrEnum):
    """How a thing stands. Only `problem` asks for action."""

    ON = "on"
    OFF = "off"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend` is the one command that helps, where there is one."""

    name: str
    state: State
    text: str
    mend: str = ""


Check = Callable[["Rewind"], Iterator[Finding]]


def examine(settings: Rewind) -> list[Finding]:
    """All findings. Mistakes in the settings are findings, too, and left out of them."""
    findings = list(_versions())
    if not settings.problems:
        findings.append(Finding("settings", State.ON, "readable"))
    for problem in settings.problems:
        effect = "keeps a server from keeping anything" if problem.stops else "it is left out"
        text = f"{problem.error} ({effect})"
        findings.append(Finding("settings", State.PROBLEM, text, _mend_setting(problem)))
    checks: tuple[tuple[str, Check], ...] = (
        ("server extension", _extension),
        ("checkpoints class", _checkpoints_class),
        ("running servers", _servers),
        ("store", _store),
        ("autosave", _autosave),
        ("collaboration", _collaboration),
        ("kernels", _kernels),
        ("left-overs", _leftovers),
    )
    for name, check in checks:
        try:
            findings.extend(check(settings))
        except Exception as error:  # one check that fails costs itself alone
            text = f"could not be looked at: {type(error).__name__}: {error}"
            findings.append(Finding(name, State.PROBLEM, text))
    return findings


def _mend_setting(problem: SettingProblem) -> str:
    from jupyter_rewind.settings import user_file

    if problem.key and problem.origin == str(user_file()):
        return f"jupyter rewind config unset {shlex.quote(problem.key)}"
    variable = problem.origin.removeprefix("environment variable ")
    if variable != problem.origin:
        return f"unset {variable}"
    return f"edit {problem.origin}"


def _versions() -> Iterator[Finding]:
    here = f"Jupyter Rewind {__version__}, Python {platform.python_version()} in {sys.prefix}"
    names = ("jupyter_server", "jupyterlab", "notebook", "nbformat", "nbdime", "traitlets")
    found = [f"{name} {version}" for name in names if (version := _version(name))]
    yield Finding("versions", State.NOTE, ", ".join([here, *found]))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


# ---------------------------------------------------------------- the server
def _extension(_: Rewind) -> Iterator[Finding]:
    enabled: dict[str, tuple[bool, str]] = {}
    for folder in reversed(jupyter_config_path()):
        base = Path(folder)
        for path in (
            *sorted((base / "jupyter_server_config.d").glob("*.json")),
            base / "jupyter_server_config.json",
        ):
            for name, value in _extensions_in(path).items():
                enabled[name] = (bool(value), str(path))
    # What a config file of the server sets itself stands above all of these.
    for chosen, place in reversed(list(_configured("jpserver_extensions"))):
        if isinstance(chosen, dict) and "jupyter_rewind" in chosen:
            enabled["jupyter_rewind"] = (bool(chosen["jupyter_rewind"]), place)
    on, place = enabled.get("jupyter_rewind", (False, ""))
    mend = f"{_jupyter()} server extension enable jupyter_rewind"
    if on:
        yield Finding("server extension", State.ON, f"enabled by {place}")
    elif place:
        yield Finding("server extension", State.PROBLEM, f"disabled by {place}", mend)
    else:
        text = "not enabled anywhere on Jupyter's config path"
        yield Finding("server extension", State.PROBLEM, text, mend)


def _jupyter() -> str:
    """The `jupyter` of this environment, spelled so that a shell finds it."""
    beside = Path(sys.executable).with_name("jupyter")
    found = shutil.which("jupyter")
    same = found is not None and os.path.realpath(found) == os.path.realpath(beside)
    return "jupyter" if same or not beside.exists() else str(beside)


def _extensions_in(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = json.loads(path.read_text(encoding="utf-8"))
        extensions = found.get("ServerApp", {}).get("jpserver_extensions", {})
        return extensions if isinstance(extensions, dict) else {}
    return {}


def _checkpoints_class(_: Rewind) -> Iterator[Finding]:
    name = "checkpoints class"
    chosen = list(_chosen("checkpoints_class")) + list(_chosen("checkpoints"))
    ours = [place for value, place in chosen if "jupyter_rewind" in value]
    others = [(value, place) for value, place in chosen if "jupyter_rewind" not in value]
    for value, place in others:
        text = (
            f"{place} sets another one, {value}: checkpoints are still made on every save, but "
            "Jupyter's own list and Revert use that class"
        )
        yield Finding(name, State.PROBLEM, text, f"take that line out of {place}")
    if not others:
        why = f"chosen in {ours[0]}" if ours else "nobody chose another one, so ours is used"
        yield Finding(name, State.ON, why)
    for value, place in _chosen("contents_manager_class"):
        yield Finding("contents manager", State.NOTE, f"{value}, chosen in {place}")


def _chosen(trait: str) -> Iterator[tuple[str, str]]:
    """(name of the class, file) wherever a Jupyter config file sets `trait`."""
    for value, place in _configured(trait):
        yield _class_name(value), place


def _configured(trait: str) -> Iterator[tuple[object, str]]:
    """(value, file) wherever a Jupyter config file sets `trait`, of any class; strongest first."""
    from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

    stems = ("jupyter", "jupyter_server", "jupyter_lab", "jupyter_notebook")
    for folder in jupyter_config_path():
        for stem in stems:
            for loader, end in ((JSONFileConfigLoader, "json"), (PyFileConfigLoader, "py")):
                file = f"{stem}_config.{end}"
                if not Path(folder, file).is_file():
                    continue
                try:
                    config = loader(file, path=folder).load_config()
                except Exception:  # the user's own code; Jupyter itself tells about it
                    continue
                for section in config.values():
                    if isinstance(section, dict) and trait in section:
                        yield section[trait], str(Path(folder, file))


def _class_name(value: object) -> str:
    return f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else str(value)


def _servers(settings: Rewind) -> Iterator[Finding]:
    found = False
    for path in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            url, token, process = facts["url"], facts.get("token", ""), int(facts["pid"])
        except (OSError, ValueError, KeyError):
            continue
        if not _lives(process):
            continue
        found = True
        yield _ask(url, token, settings)
    if not found:
        yield Finding("running servers", State.NOTE, "none of yours; the command line needs none")


def _lives(process: int) -> bool:
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token goes to the address in the runtime file alone: urllib would hand it on."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _ask(url: str, token: str, settings: Rewind) -> Finding:
    name = "running servers"
    request = urllib.request.Request(url.rstrip("/") + "/rewind/api/v1/health")
    if token:
        request.add_header("Authorization", f"token {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(request, timeout=_ASK_SECONDS) as answer:
            health = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        if error.code == 404:
            text = f"{url} runs without Rewind: it was started before Rewind was on"
            return Finding(name, State.PROBLEM, text, "restart that server")
        return Finding(name, State.NOTE, f"{url} does not let us ask (HTTP {error.code})")
    except (OSError, ValueError) as error:
        return Finding(name, State.NOTE, f"{url} did not answer: {error}")
    return _told(name, url, health, settings)


def _told(name: str, url: str, health: dict[str, Any], settings: Rewind) -> Finding:
    """What a server's own account of itself means."""
    state = health.get("state")
    store = health.get("store") or {}
    place = str(store.get("path", ""))
    if state != "ok":
        error = store.get("error") or {}
        why = [error.get("message", ""), health.get("last_failure", ""), *health.get("notices", [])]
        words = "; ".join(dict.fromkeys(str(each) for each in why if each)) or "no reason told"
        mend = str(error.get("hint", "")) or "restart that server"
        return Finding(name, State.PROBLEM, f"{url} says it is {state}: {words}", mend)
    if place and os.path.realpath(place) != os.path.realpath(settings.store_path):
        text = f"{url} keeps its checkpoints in another store, {place}"
        return Finding(name, State.PROBLEM, text, f"jupyter rewind config set store.path {place}")
    damaged = len(health.get("damaged", []))
    more = f"; damaged notebooks it has seen: {damaged}" if damaged else ""
    return Finding(name, State.ON, f"{url} makes checkpoints{more}")


# ---------------------------------------------------------------- the store
def _store(settings: Rewind) -> Iterator[Finding]:
    from jupyter_rewind.workspace import store_health

    health = store_health(Path(settings.store_path), Path(settings.store_key_folder))
    folder, move = health.folder, "jupyter rewind config set store.path /another/folder"
    fault = _open_store(settings)
    if fault is not None:
        yield Finding("store", State.PROBLEM, fault.message, fault.hint or "jupyter rewind verify")
    elif not health.exists and health.writable:
        yield Finding("store", State.NOTE, f"{folder} will be made with the first checkpoint")
    elif health.exists:
        yield Finding("store", State.ON, str(folder))
    if not health.writable:
        yield Finding("store writable", State.PROBLEM, f"{folder} cannot be written", move)
    elif health.exists:
        yield Finding("store writable", State.ON, "yes")
    if not health.private:
        text = f"others may look into {folder}"
        yield Finding("store permissions", State.PROBLEM, text, f"chmod -R go= {folder}")
    if health.exists and health.key is not None:
        yield _key(health.key, readable=health.key_readable, private=health.key_private)
    if health.free_bytes is not None:
        room = wording.size(health.free_bytes)
        if health.free_bytes < LITTLE_ROOM:
            mend = "jupyter rewind expire --yes && jupyter rewind collect"
            yield Finding("free space", State.PROBLEM, f"only {room}", mend)
        else:
            yield Finding("free space", State.ON, room)
    if health.network:
        text = f"{folder} lies on a network file system: its index stays out of there"
        yield Finding("file system", State.NOTE, text)
    usual = "in your cache folder, on a local disk" if health.network else f"beside it, in {folder}"
    yield Finding("index", State.NOTE, settings.store_index_path or usual)
    if health.locks is False:
        text = f"{folder} has no working locks: checkpoints are safe, collect refuses to work"
        yield Finding("locks", State.PROBLEM, text, move)
    elif health.locks:
        yield Finding("locks", State.ON, "work")


def _open_store(settings: Rewind) -> RewindError | None:
    """Why the store cannot be opened as every command opens it; None where it can, or is not yet
    there."""
    from jupyter_rewind.workspace import Workspace

    try:
        with Workspace.open(settings, create=False) as workspace:
            workspace.repository.refresh()
    except NotFound:
        return None
    except RewindError as error:
        return error
    return None


def _key(key: Path, *, readable: bool, private: bool) -> Finding:
    if not readable:
        text = f"{key} is missing or cannot be read: the store stays closed without it"
        return Finding("key", State.PROBLEM, text, "put the key back from a backup of your home")
    if not private:
        return Finding("key", State.PROBLEM, f"others may read {key}", f"chmod 600 {key}")
    return Finding("key", State.ON, "only you can read it")


# ---------------------------------------------------------------- the front end
_PLUGIN = "@jupyterlab/docmanager-extension:plugin"


def _autosave(settings: Rewind) -> Iterator[Finding]:
    name = "autosave"
    if not _version("jupyterlab") and not _version("notebook"):
        yield Finding(name, State.OFF, "neither JupyterLab nor Notebook is installed here")
        return
    if not settings.notebooks_autosave_seconds:
        yield Finding(name, State.OFF, "left to the front end by notebooks.autosave_seconds = 0")
        return
    own = _own_interval()
    if own is not None:
        text = f"every {own} s, as you chose in JupyterLab's settings"
        yield Finding(name, State.NOTE, text)
        return
    application = _lab_folder()
    override = application / "settings" / "overrides.d" / "jupyter_rewind.json"
    if override.is_file():
        seconds = settings.notebooks_autosave_seconds
        yield Finding(name, State.ON, f"every {seconds} s by {override}, at the shortest")
    else:
        text = f"JupyterLab looks in {override.parent} and finds no default of ours: every 120 s"
        mend = f"{sys.executable} -m pip install --force-reinstall --no-deps jupyter-rewind"
        yield Finding(name, State.PROBLEM, text, mend)


def _lab_folder() -> Path:
    try:
        from jupyterlab.commands import get_app_dir  # type: ignore[import-untyped]
    except ImportError:  # Notebook without JupyterLab
        return Path(sys.prefix, "share", "jupyter", "lab")
    return Path(get_app_dir())


def _own_interval() -> int | None:
    """The interval that the user set in JupyterLab, which beats ours."""
    folder = os.environ.get("JUPYTERLAB_SETTINGS_DIR") or os.path.join(
        jupyter_config_dir(), "lab", "user-settings"
    )
    package, _, plugin = _PLUGIN.partition(":")
    path = Path(folder, package, f"{plugin}.jupyterlab-settings")
    with contextlib.suppress(OSError, ValueError, ImportError):
        import json5

        found = json5.loads(path.read_text(encoding="utf-8"))
        value = found.get("autosaveInterval") if isinstance(found, dict) else None
        return value if isinstance(value, int) else None
    return None


def _kernels(settings: Rewind) -> Iterator[Finding]:
    from jupyter_rewind.faces.cli.kernelcheck import check_kernels

    return check_kernels(settings)


def _leftovers(_: Rewind) -> Iterator[Finding]:
    from jupyter_rewind.faces.cli.leftovercheck import check_leftovers

    return check_leftovers()


def _collaboration(_: Rewind) -> Iterator[Finding]:
    version = _version("jupyter_collaboration") or _version("jupyter-server-ydoc")
    if version:
        text = f"{version} is installed: documents in the browser are kept before a restore"
        yield Finding("collaboration", State.ON, text)
    else:
        yield Finding("collaboration", State.OFF, "not installed; nothing is missing without it")
