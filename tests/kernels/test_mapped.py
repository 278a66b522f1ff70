"""Arrays in files and in mapped memory: what is told of them, and of all that shares theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.tracking import Tracker
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


def test_what_another_process_writes_into_shared_memory_is_seen(tmp_path: Path) -> None:
    """No code of the notebook runs for that, and no cell names the array."""
    shared = tmp_path / "shared.bin"
    shared.write_bytes(bytes(8192))
    cells = Cells(tmp_path, tracker=Tracker())
    cells.run("import mmap, numpy as np")
    cells.run(
        f"with open({str(shared)!r}, 'r+b') as file:"
        " array = np.frombuffer(mmap.mmap(file.fileno(), 8192), np.uint8)"
    )
    cells.run("del file")
    with shared.open("r+b", buffering=0) as other:
        other.write(b"\x07")
    state = cells.run("n = 1")
    cells.close()
    next_cells = Cells(tmp_path, run="next")
    next_cells.go(state)
    next_cells.check("array[0] == 7 and array.size == 8192")
    next_cells.close()
