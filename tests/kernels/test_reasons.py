"""What is told of a value that is not kept as it was: in words, not in Python's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cells import Cells
from tests.support.kinds import Kind
from tests.support.kinds_live import LIVE

_INNER = re.compile(r"\b__\w+__\b|object at 0x|Placeholder|^\w+(Error|Exception): |__main__\.")
KINDS = [kind for kind in LIVE if kind.told and kind.name != "event loop"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_reason_is_in_words(tmp_path: Path, kind: Kind) -> None:
    """I'm told what was there and how to get it back, and nothing of how it is done inside."""
    cells = Cells(tmp_path)
    cells.run(kind.prelude())
    state = cells.run(kind.make)
    cells.close()
    again = Cells(tmp_path, run="again")
    told = [one for one in again.prepare(state).report if one.name in ("value", "S")]
    again.close()
    assert told
    for one in told:
        assert one.reason, one
        assert not _INNER.search(one.reason), one.reason
