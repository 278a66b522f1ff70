"""JuSnap's options and what they are called here; its configuration file is read as it is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from jupyter_rewind.errors import InvalidInput

OPTIONS = {
    "graceful.shutdown_timeout": "serve.shutdown_seconds",
    "jusnap.criu.ghost_limit": "kernels.ghost_limit_mb",
    "jusnap.http.port": "jusnap.http_port",
    "jusnap.http.read_timeout": "jusnap.read_timeout_seconds",
    "jusnap.http.write_timeout": "jusnap.write_timeout_seconds",
    "jusnap.ipython.args": "serve.kernel_arguments",
    "jusnap.ipython.cooldown": "kernels.image_cooldown_seconds",
    "jusnap.ipython.history_enabled": "kernels.image_history",
    "jusnap.ipython.history_file": "serve.history_file",
    "jusnap.ipython.python_interpreter": "serve.python",
    "jusnap.ipython.runtime_path": "serve.runtime_path",
    "jusnap.jupyter.args": "serve.jupyter_arguments",
    "jusnap.jupyter.port": "serve.port",
    "jusnap.log_level": "serve.log_level",
    "jusnap.os.gid": "serve.gid",
    "jusnap.os.uid": "serve.uid",
}
"""Each of JuSnap's options, and our setting."""

_LEVELS = {"warn": "warning", "trace": "debug", "fatal": "critical", "panic": "critical"}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def read_serve_file(path: Path) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """The settings, and Jupyter's own traits by class, out of one YAML file with the sections
    `rewind`, `jupyter`, and JuSnap's `jusnap` and `graceful`.

    Raises InvalidInput, which names the line or the word.
    """
    content = _read(path)
    settings: dict[str, str] = {}
    for section in ("graceful", "jusnap"):
        for key, value in _flat(section, content.pop(section, None), path):
            if key not in OPTIONS:
                raise _mistake(path, f"{key} is no option of JuSnap's")
            settings[OPTIONS[key]] = _value(OPTIONS[key], value, path)
    if any(name.startswith(("jusnap", "serve", "kernels")) for name in settings):
        settings.setdefault("jusnap.api", "true")
    for key, value in _flat("", content.pop("rewind", None), path):
        settings[key] = str(value).lower() if isinstance(value, bool) else str(value)
    jupyter = content.pop("jupyter", None) or {}
    if not isinstance(jupyter, dict) or not all(isinstance(e, dict) for e in jupyter.values()):
        raise _mistake(path, "jupyter must hold classes with their traits")
    if content:
        raise _mistake(path, f"there is no section {', '.join(map(str, content))}")
    return settings, jupyter


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise _mistake(path, f"it cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _mistake(path, " ".join(str(error).split())) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _mistake(path, "it must hold sections: rewind, jupyter, jusnap")
    return content


def _flat(prefix: str, value: object, path: Path) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of nested sections."""
    if value is None:
        return
    if not isinstance(value, dict):
        raise _mistake(path, f"{prefix or 'rewind'} must be a section")
    for name, inner in value.items():
        key = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(inner, Mapping):
            yield from _flat(key, inner, path)
        elif inner is not None:
            yield key, inner


def _value(setting: str, value: Any, path: Path) -> str:
    if isinstance(value, list):
        return shlex.join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if setting.endswith("_seconds"):
        return _seconds(text, path)
    if setting == "serve.log_level":
        return _LEVELS.get(text.lower(), text.lower())
    return text


def _seconds(text: str, path: Path) -> str:
    """A duration as JuSnap writes it (`1m30s`, `500ms`) in whole seconds, rounded up."""
    if text.isdecimal():
        return text
    if not text or _PART.sub("", text):
        raise _mistake(path, f"{text!r} is no duration such as 5s")
    total = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return str(int(-(-total // 1)))


def _mistake(path: Path, what: str) -> InvalidInput:
    return InvalidInput(f"{path} cannot be used: {what}.", hint="Nothing was started.")
