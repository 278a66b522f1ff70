"""API paths of a contents manager and the paths under which histories are kept.

A history belongs to the real file: two ways to the same file through links lead to one history.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.fileio import FileManagerMixin
from jupyter_server.services.contents.manager import ContentsManager
from tornado.web import HTTPError

from jupyter_rewind.errors import InvalidInput, NotFound, RewindError, Unavailable
from jupyter_rewind.faces.server.aliases import Aliases
from jupyter_rewind.faces.server.statuses import Failure, describe
from jupyter_rewind.faces.server.textbooks import find_moved_along

NOTEBOOK_SUFFIX = ".ipynb"


class Paths:
    """The translation for one contents manager."""

    def __init__(self, manager: ContentsManager) -> None:
        self._manager = manager
        self._aliases = Aliases()

    def use(self, manager: ContentsManager) -> None:
        """API paths are those of `manager` from now on."""
        self._manager = manager

    @property
    def is_local(self) -> bool:
        """Whether the files lie on a local file system."""
        return isinstance(self._manager, FileManagerMixin)

    @property
    def root(self) -> str:
        """The real path of the served folder."""
        return os.path.realpath(self._manager.root_dir)

    def file(self, api_path: str) -> str:
        """The file that an API path names, links followed: the key of its history.

        Raises NotFound for a path that lies outside the served folder, InvalidInput for one that
        no file can have.
        """
        if not self.is_local:
            raise NotFound(f"{api_path} does not lie on a local file system.")
        try:
            os.fsencode(api_path)
            file = os.path.realpath(self._locate(api_path))
            os.lstat(file)
        except HTTPError as error:
            raise NotFound(f"{api_path} is not in the served folder.") from error
        except ValueError as error:
            raise InvalidInput("The path holds characters that no file name can have.") from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise InvalidInput("The path is longer than any file's can be.") from error
        if self._own_api_path(file) != api_path.strip("/"):
            self._aliases.learn(self.root, api_path)
        return file

    def is_link(self, api_path: str) -> bool:
        """Whether what has this name is a symbolic link, and no file or folder itself."""
        try:
            return self.is_local and os.path.islink(self._locate(api_path))
        except (HTTPError, ValueError):
            return False

    def _locate(self, api_path: str) -> str:
        # Every file manager of Jupyter's has it, and there is no public way to the file.
        locate: Callable[[str], str] = self._manager._get_os_path  # type: ignore[attr-defined]
        return locate(api_path.strip("/"))

    def api_path(self, file: str) -> str | None:
        """The API path of a real path; outside the served folder that of a link which is known to
        lead there, or None."""
        return next(iter(self.api_paths(file)), None)

    def shown_path(self, file: str) -> str | None:
        """As `api_path`, for lists: None for what this server does not show."""
        path = self.api_path(file)
        if path is None or self._manager.allow_hidden:
            return path
        return None if any(part.startswith(".") for part in path.split("/")) else path

    def api_paths(self, file: str) -> list[str]:
        """All API paths of a real path: its own in the served folder comes first, and those of
        links that are known to lead to it follow."""
        own = self._own_api_path(file)
        return ([] if own is None else [own]) + self._aliases.names(self.root, file)

    def look_for_links(self) -> None:
        """The links that stand in the served folder itself are known."""
        self._aliases.look(self.root)

    def _own_api_path(self, file: str) -> str | None:
        root = self.root.rstrip(os.sep)
        if not file.startswith(root + os.sep):
            return None
        return file[len(root) + 1 :].replace(os.sep, "/")

    def moved_along(self, old: str, new: str) -> list[tuple[str, str]]:
        """The API paths of what was renamed together with `old`, which is `new` now."""
        found = find_moved_along(self._manager, old.strip("/"), new.strip("/"))
        return [(one, other) for one, other in found if self._is_there(other)]

    def _is_there(self, api_path: str) -> bool:
        try:
            return os.path.lexists(self.file(api_path))
        except RewindError:
            return False

    def shorten(self, text: str) -> str:
        """`text` for whoever knows only API paths: served files go by those."""
        text, root = self._aliases.rename(self.root, text), self.root.rstrip(os.sep)
        if not root or root not in text:
            return text
        return re.sub(rf"(?<![\w./-]){re.escape(root + os.sep)}", "", text)

    def describe(self, error: RewindError) -> Failure:
        """The body that tells `error` to whoever knows only API paths."""
        failure = describe(error)
        failure["message"] = self.shorten(failure["message"])
        failure["hint"] = self.shorten(failure["hint"])
        return failure

    async def visible(self, api_path: str | None) -> str:
        """The file that a request names, if the user may see it through this server.

        Raises InvalidInput without a path, NotFound for one that is hidden or outside, Unavailable
        where nobody can tell.
        """
        if not api_path or not api_path.strip("/"):
            raise InvalidInput(
                "No path was given.", hint="Say which notebook: ?path=folder/nb.ipynb"
            )
        if "\0" in api_path:
            raise InvalidInput("A path cannot hold a NUL character.")
        file = self.file(api_path)
        manager = self._manager
        is_hidden: Callable[[str], Any] = manager.is_hidden
        try:
            hidden = not manager.allow_hidden and await ensure_async(is_hidden(api_path.strip("/")))
        except NotADirectoryError:  # what was its folder once is a file now
            parts = api_path.strip("/").split("/")
            hidden = not manager.allow_hidden and any(part.startswith(".") for part in parts)
        except OSError as error:  # a link that leads to itself, a folder that nobody may look into
            words = error.strerror or str(error)
            raise Unavailable(f"{api_path} cannot be looked at: {words}.") from error
        if hidden:
            raise NotFound(f"There is no {api_path} here.")
        return file


def is_notebook(path: str) -> bool:
    """Whether a path is named like a notebook."""
    return path.endswith(NOTEBOOK_SUFFIX)


def count_cells(content: object) -> int | None:
    """How many cells notebook content has, in format 3 or 4; None when it is no notebook."""
    if not isinstance(content, Mapping):
        return None
    sheets = content.get("worksheets")
    lists = [content.get("cells")]
    if isinstance(sheets, list) and "cells" not in content:
        lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, Mapping)]
    if not all(isinstance(cells, list) for cells in lists):
        return None
    return sum(len(cells) for cells in lists if isinstance(cells, list))
