"""The user's settings file, edited one value at a time.

It lies here because it changes a file, which is the store's floor; what the values mean is
`jupyter_rewind.settings`' business. It never touches a file that it cannot read whole, nor
`jupyter_rewind_config.py`, which is a program of the user's.
"""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_rewind import settings
from jupyter_rewind.store.durable import Files


def set_value(key: str, text: str, files: Files | None = None) -> Path:
    """The settings file that now says `key` is `text`; what else it says is kept.

    Durable when it returns; at any failure the file is as it was. Raises InvalidInput for an
    unknown key, a bad value or a file with a mistake, and Storage.
    """
    value = settings.parse_value(key, text)
    path = settings.user_file()
    content = settings.read_json_file(path)
    section = _section(content)
    section[settings.trait_name(key)] = value
    content[settings.SECTION] = section
    _write(path, content, files or Files())
    return path


def unset_value(key: str, files: Files | None = None) -> bool:
    """Whether the user's settings file said anything about `key`, which it does no more.

    A name that is no setting can be taken out as well, for it may stand there by mistake.
    Durable when it returns. Raises as `set_value`.
    """
    path = settings.user_file()
    content = settings.read_json_file(path)
    section = _section(content)
    written = [each for each in section if _plain(each) == _plain(key)]
    if not written:
        settings.trait_name(key)
        return False
    for each in written:
        del section[each]
    content[settings.SECTION] = section
    _write(path, content, files or Files())
    return True


def _plain(key: str) -> str:
    return key.strip().lower().replace(".", "_")


def _section(content: dict[str, object]) -> dict[str, object]:
    section = content.get(settings.SECTION, {})
    return dict(section) if isinstance(section, dict) else {}


def _write(path: Path, content: dict[str, object], files: Files) -> None:
    files.make_folder(path.parent)
    data = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    files.replace_file(path, data.encode("utf-8"), mode=0o600)
