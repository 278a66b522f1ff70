"""What `doctor` finds out about the server: whether it loads us, and what running ones say.

Jupyter's own config files are read the way Jupyter reads them; a running server is asked itself,
for it may have been started before the last change.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_config_path, jupyter_runtime_dir

from jupyter_rewind.faces.cli.findings import Finding, State
from jupyter_rewind.model.shell import quoted

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

_ASK_SECONDS = 3.0


def check_extension(_: Rewind) -> Iterator[Finding]:
    """Whether Jupyter loads the extension, and who says so."""
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


def check_checkpoints_class(_: Rewind) -> Iterator[Finding]:
    """Whose checkpoints class Jupyter uses, and who chose another one."""
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


def check_servers(settings: Rewind) -> Iterator[Finding]:
    """What the running servers say of themselves."""
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
        mends = [str(each.get("mend", "")) for each in health.get("replicas", [])]
        mend = str(error.get("hint", "")) or next(filter(None, mends), "restart that server")
        return Finding(name, State.PROBLEM, f"{url} says it is {state}: {words}", mend)
    if place and os.path.realpath(place) != os.path.realpath(settings.store_path):
        text = f"{url} keeps its checkpoints in another store, {place}"
        return Finding(
            name, State.PROBLEM, text, f"jupyter rewind config set store.path {quoted(place)}"
        )
    damaged = len(health.get("damaged", []))
    if damaged:
        text = f"{url} makes checkpoints, and has seen damaged notebooks: {damaged}"
        return Finding(name, State.PROBLEM, text, "jupyter rewind recover")
    return Finding(name, State.ON, f"{url} makes checkpoints")
