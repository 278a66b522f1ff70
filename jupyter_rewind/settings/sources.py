"""Where settings come from: files of Jupyter's configuration folders, the environment, a server's
configuration, the flags of a command. Reads them and judges no name and no value.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_core.paths import jupyter_config_dir, jupyter_config_path
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue, PyFileConfigLoader

from jupyter_rewind.errors import Denied, InvalidInput, RewindError

SECTION: Final = "Rewind"
FILE_STEM: Final = "jupyter_rewind_config"
ENVIRONMENT_PREFIX: Final = "JUPYTER_REWIND_"


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """A mistake in the settings: `key` as it was written there (empty: the whole file), `origin`
    where. One that `stops` is in where or how the store lies."""

    error: RewindError
    key: str
    origin: str
    stops: bool = False


Tell = Callable[[SettingProblem], None]


def user_file() -> Path:
    """The settings file that `jupyter rewind config set` edits; it need not exist."""
    return Path(jupyter_config_dir()) / f"{FILE_STEM}.json"


def read_json_file(path: Path) -> dict[str, object]:
    """The whole of a JSON settings file, `{}` where there is none.

    Raises InvalidInput with file and line for a mistake in it, Denied where it may not be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _mistake(path, None, "it is not UTF-8 text") from error
    try:
        content = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise _mistake(path, getattr(error, "lineno", None), getattr(error, "msg", "")) from error
    if not isinstance(content, dict) or not isinstance(content.get(SECTION, {}), dict):
        raise _mistake(path, None, f'it must look like {{"{SECTION}": {{"store_path": "..."}}}}')
    return content


_JUPYTERS_FOLDERS: Final = {
    "store_path": ("JUPYTER_DATA_DIR", "XDG_DATA_HOME", "HOME"),
    "store_key_folder": ("JUPYTER_CONFIG_DIR", "HOME"),
}


def find_wandering(names: Iterable[str]) -> Iterator[SettingProblem]:
    """A problem for each of these settings whose default hangs on where a program was started: the
    store would lie in somebody's project, and another one in each folder."""
    for name in names if os.name != "nt" else ():
        for variable in _JUPYTERS_FOLDERS.get(name, ()):
            value = os.environ.get(variable)
            if value is None or (not value and variable != "HOME"):
                continue
            if not os.path.isabs(os.path.expanduser(value)):
                key = name.replace("_", ".", 1)
                is_not = f"{variable} is {value!r}" if value else f"{variable} is empty"
                error = InvalidInput(
                    f"There is no place for {key}: {is_not}, not an absolute path.",
                    hint=f"Set {variable}, or {key} itself, as with"
                    f" {ENVIRONMENT_PREFIX}{name.upper()}=/a/folder.",
                )
                yield SettingProblem(error, key, f"environment variable {variable}", True)
            break


FLAG = "flag"


def refuse(problem: SettingProblem) -> None:
    """A mistake in the settings ends the reading of them."""
    raise problem.error


def find_values(
    overrides: Mapping[str, str], config: Config | None, tell: Tell
) -> Iterator[tuple[str, object, str]]:
    """(key as written, value, origin) from the weakest place to the strongest."""
    for folder in reversed(jupyter_config_path()):
        for end, read in ((".py", _read_python_file), (".json", read_json_file)):
            path = Path(folder) / f"{FILE_STEM}{end}"
            try:
                found = list(_from_section(read(path), str(path)))
            except RewindError as error:
                tell(SettingProblem(error, "", str(path)))
                continue
            yield from found
    for variable, text in os.environ.items():
        if variable.startswith(ENVIRONMENT_PREFIX):
            key = variable.removeprefix(ENVIRONMENT_PREFIX)
            yield key, text, f"environment variable {variable}"
    if config is not None:
        yield from _from_section(config, "server configuration")
    for key, text in overrides.items():
        yield key, text, FLAG


def _from_section(content: Mapping[str, object], origin: str) -> Iterator[tuple[str, object, str]]:
    section = content.get(SECTION, {})
    if not isinstance(section, Mapping):
        raise InvalidInput(f"{SECTION} is not a group of settings{say_origin(origin)}.")
    for key, value in section.items():
        if not isinstance(value, LazyConfigValue):  # left behind where a file only read a value
            yield str(key), value, origin


def _read_python_file(path: Path) -> Mapping[str, object]:
    try:
        if not path.is_file():
            return {}
        return PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    except SyntaxError as error:
        raise _mistake(path, error.lineno, error.msg) from error
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) != path:
            raise _mistake(path, _line_in(path, error), str(error)) from error
        raise _unreadable(path, error) from error
    except (Exception, SystemExit) as error:  # the user's own code
        words = f"{type(error).__name__}: {error}"
        raise _mistake(path, _line_in(path, error), words) from error


def _line_in(path: Path, error: BaseException) -> int | None:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return lines[-1] if lines else None


def _unreadable(path: Path, error: OSError) -> Denied:
    return Denied(
        f"The settings file {path} cannot be read: {error.strerror or error}.",
        hint="Make it readable for you, or move it away.",
    )


def _mistake(path: Path, line: int | None, words: str) -> InvalidInput:
    where = f" on line {line}" if line else ""
    return InvalidInput(
        f"The settings file {path} has a mistake{where}: {words or 'it cannot be understood'}.",
        hint="Mend it, or move it away.",
    )


def say_origin(origin: str) -> str:
    """The words for a message that name where a value was written."""
    return f" (from {origin})" if origin else ""
