"""Arrays in files: what is told of them, and of all that shares their memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix


def test_no_view_of_a_file_is_called_exact(tmp_path: Path) -> None:
    """The file is not kept, so neither is what is read in it, by whatever way."""
    cells = Cells(tmp_path)
    state = cells.run(f"""
import numpy as np
whole = np.memmap({str(tmp_path / "array.bin")!r}, "f8", "w+", shape=(100,))
part, plain = whole[10:20], np.asarray(whole)[3:]
turned, held, mine = plain[::-1], {{"part": part}}, part * 2
""")
    told = {one.name: one for one in report(cells.store, state)}
    assert all(
        told[name].fidelity is Fidelity.REFERENCE and "array.bin" in told[name].reason
        for name in ("whole", "part", "plain", "turned", "held")
    )
    assert told["mine"].fidelity is Fidelity.EXACT
    cells.close()
