"""Two kernels of one store: the second begins when the first has gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cells


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = Cells(tmp_path)
    yield made
    made.close()


@pytest.fixture
def next_cells(tmp_path: Path, cells: Cells) -> Iterator[Cells]:
    made = Cells(tmp_path, run="next")
    yield made
    made.close()
