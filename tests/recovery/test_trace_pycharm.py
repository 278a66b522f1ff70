"""PyCharm's local history: named, with words on how to open it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.recovery.traces.pycharm import PyCharmFinder
from tests.support.traces import Home, traces_of

CACHES = {"linux": ".cache", "darwin": "Library/Caches", "win32": "AppData/Local"}


@pytest.mark.parametrize("platform", CACHES)
def test_it_is_named_with_what_to_click(tmp_path: Path, platform: str) -> None:
    """Rewind cannot read it, and says where it is and how you open it yourself."""
    home = Home(tmp_path)
    place = home.path / CACHES[platform] / "JetBrains/PyCharm2026.2/LocalHistory"
    place.mkdir(parents=True)
    scope = home.scope(platform=platform)
    assert traces_of(PyCharmFinder(), scope) == []
    (place / "changes.storageData").write_bytes(b"\0")
    [trace] = traces_of(PyCharmFinder(), scope)
    assert trace.problem
    evidence = PyCharmFinder().read(trace, scope)
    [problem] = evidence.problems
    assert "analysis.ipynb" in problem.words
    assert "Show History" in problem.words
    assert not evidence.documents
