"""What one search asks a repository: each question for itself, and told where git refuses it.

A power cut hurts the index, a ref or a commit, and git refuses what needs that. The other
questions are asked all the same; commits are then looked for among the objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import TypeVar

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.recovery.evidence import Problem, Scope
from jupyter_rewind.recovery.gitobjects import GitRepository, Version
from jupyter_rewind.recovery.gitremains import GitRemains

_NOTEBOOK = ".ipynb"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paths:
    """The file of a `name`, or all notebooks below a `folder`, both seen from the top."""

    name: str = ""
    folder: str = ""

    @property
    def specs(self) -> list[str]:
        """As git is told them."""
        if self.name:
            return [f":(top,literal){self.name}"]
        inner = re.sub(r"([*?\[\\])", r"\\\1", self.folder)
        return [f":(top,glob){inner}**/*{_NOTEBOOK}"]

    def has(self, path: str) -> bool:
        """Whether the path is one of them."""
        if self.name:
            return path == self.name
        return path.startswith(self.folder) and path.endswith(_NOTEBOOK)


class GitQuestions:
    """Answers of a repository; `problems` tells what was refused, and what was done instead."""

    def __init__(self, repository: GitRepository, scope: Scope) -> None:
        self.repository = repository
        self._scope = scope
        self._told: dict[str, None] = {}
        self._uses_remains = repository.is_stand_in

    @property
    def problems(self) -> list[Problem]:
        place = str(self.repository.top)
        read = () if "_remains" not in self.__dict__ else self._remains.problems
        return [Problem(place, words) for words in dict.fromkeys([*self._told, *read])]

    def versions(self, paths: Paths) -> list[Version]:
        """Each state of the paths in any commit, the newest first; among all the objects where git
        does not list them."""
        if not self._uses_remains:
            try:
                return self.repository.versions(paths.specs)
            except Unavailable as error:
                self._uses_remains = not self.repository.is_slow
                instead = "The commits were looked for among its objects instead."
                lost = "Its commits are left out."
                self._tell(f"{error} {instead if self._uses_remains else lost}")
        if not self._uses_remains:
            return []
        return [each for each in self._remains.versions if paths.has(each.path)]

    def fetched(self, paths: Paths) -> frozenset[str]:
        """The commits that are on no branch of the repository's own."""
        if self._uses_remains:
            return self._remains.fetched
        try:
            return self.repository.fetched(paths.specs)
        except Unavailable as error:
            if self.repository.is_slow:
                self._tell(f"{error} It is not known which commits were only fetched.")
                return frozenset()
            return self._remains.fetched

    def on_other_branches(self, paths: Paths) -> frozenset[str]:
        """The commits of branches that are not checked out."""
        if self._uses_remains:
            return self._remains.on_other_branches
        try:
            return self.repository.on_other_branches(paths.specs)
        except Unavailable as error:
            if self.repository.is_slow:
                self._tell(f"{error} It is not known which commits are of which branch.")
                return frozenset()
            return self._remains.on_other_branches

    def staged(self, paths: Paths) -> list[tuple[str, str, int]]:
        """What the index has of the paths."""
        words = "What was staged is found among its objects alone."
        return self._ask(lambda: self.repository.staged(paths.specs), [], words)

    def sizes_of(self, blobs: Sequence[str]) -> dict[str, int]:
        """How many bytes each blob has that is here."""
        return self._ask(lambda: self.repository.sizes_of(blobs), {}, "")

    def cruft(self) -> list[str]:
        """The names of objects in packs of what nothing refers to."""
        found: list[str] = []
        for index in self.repository.indexes(cruft=True):
            question = partial(self.repository.named_in, index)
            found += self._ask(question, list[str](), _not_in(index.name))
        return found

    def blobs_among(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that are blobs."""
        return self._ask(lambda: self.repository.among(names, "blob"), [], _not_in("packs"))

    def start_of(self, blob: str) -> bytes:
        """The first bytes of a blob; none of one that does not read."""
        words = f"The object {blob[:12]} was left out."
        return self._ask(lambda: self.repository.read(blob)[:200], b"", words)

    @cached_property
    def _remains(self) -> GitRemains:
        notebook = self._scope.notebook
        name = "" if notebook is None else notebook.name
        return GitRemains(
            self.repository,
            self._scope.scratch,
            lambda each: each == name or PurePosixPath(each).suffix == _NOTEBOOK,
        )

    def _ask(self, question: Callable[[], T], nothing: T, words: str) -> T:
        try:
            return question()
        except (Unavailable, OSError) as error:
            self._tell(f"{error} {words}".strip())
            return nothing

    def _tell(self, words: str) -> None:
        self._told[words] = None


def _not_in(what: str) -> str:
    return f"What nothing refers to any more was not looked for in {what}."
