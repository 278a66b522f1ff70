"""The local history of PyCharm and its kin: where it is, and how a person opens it.

Its format is JetBrains' own, undocumented, and changes between versions, so nothing of it is read
here. A person who has it is told what to click.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind.recovery.evidence import Evidence, Holds, Problem, Scope, Trace

_PRODUCTS = ("PyCharm*", "DataSpell*", "IntelliJIdea*", "IdeaIC*", "PyCharmCE*")


class PyCharmFinder:
    """Names the local history of JetBrains' editors; only they can read it."""

    kind = "pycharm"
    title = "PyCharm's local history (named, not read: its format is PyCharm's own)"
    asked_only = False
    holds: frozenset[Holds] = frozenset()
    where: Mapping[str, str] = {
        "linux": "`~/.cache/JetBrains/PyCharm*/LocalHistory`",
        "macos": "`~/Library/Caches/JetBrains/PyCharm*/LocalHistory`",
        "windows": "`%LOCALAPPDATA%\\JetBrains\\PyCharm*\\LocalHistory`",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        top = _cache(scope) / "JetBrains"
        seen = {each for product in _PRODUCTS for each in top.glob(f"{product}/LocalHistory")}
        for place in sorted(seen):
            if any(place.iterdir()):
                yield Trace(
                    kind=self.kind,
                    place=str(place),
                    time_ns=place.stat().st_mtime_ns,
                    words=f"The local history of {place.parent.name}",
                    problem="only the editor itself can read it",
                )

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        name = scope.notebook.name if scope.notebook else "the notebook"
        product = Path(trace.place).parent.name
        words = (
            f"If you edited {name} in {product}, open it there: right-click the folder that"
            f" {name} was in, choose Local History, Show History."
        )
        return Evidence(problems=(Problem(trace.place, words, trace),))


def _cache(scope: Scope) -> Path:
    if scope.platform == "darwin":
        return scope.home / "Library/Caches"
    if scope.platform == "win32":
        return Path(scope.environ.get("LOCALAPPDATA") or scope.home / "AppData/Local")
    return Path(scope.environ.get("XDG_CACHE_HOME") or scope.home / ".cache")
