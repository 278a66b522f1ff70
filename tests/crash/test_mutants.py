"""The sweep is only worth something if it catches a store that breaks its promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.mutants import CODE_MUTANTS, FILE_MUTANTS, NOTEBOOK_MUTANTS, Break
from tests.crash.scenarios import SCENARIOS, check_notebook, replace_notebook
from tests.crash.sweep import Tally, record, sweep
from tests.support.recording import RecordingFiles

pytestmark = pytest.mark.crash

#: What a store promises of what it acknowledged. Any other failure does not count as a catch: it
#: may be the mutant's own.
PROMISES = ("lost", "other bytes", "unclean")


def _first_catch(
    folder: Path, promises: tuple[str, ...], kind: type[RecordingFiles] = RecordingFiles
) -> Tally:
    for name, scenario in SCENARIOS.items():
        root = folder / name
        run = record(scenario, root, kind(root))
        tally = sweep(run, looking_for=promises)
        if tally.caught:
            return tally
    return Tally()


@pytest.mark.parametrize("mutant", FILE_MUTANTS, ids=lambda each: each.__name__)
def test_a_file_layer_that_skips_a_step_is_caught(
    mutant: type[RecordingFiles], tmp_path: Path
) -> None:
    """Without its syncs, the store loses what it acknowledged."""
    assert _first_catch(tmp_path, ("lost",), mutant).caught


@pytest.mark.parametrize("mutant", CODE_MUTANTS, ids=lambda each: each.__name__)
def test_a_store_that_trusts_too_much_is_caught(
    mutant: Break, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check that the store makes, and the order of its writes, is one that a power cut
    needs."""
    mutant(monkeypatch)
    assert _first_catch(tmp_path, PROMISES).caught


@pytest.mark.parametrize("mutant", NOTEBOOK_MUTANTS, ids=lambda each: each.__name__)
def test_a_notebook_replaced_without_care_is_caught(
    mutant: type[RecordingFiles], tmp_path: Path
) -> None:
    """A restore that is not on the disk when it says so, or not whole, is found out."""
    root = tmp_path / "work"
    run = record(replace_notebook, root, mutant(root))
    tally = sweep(run, check=check_notebook, samples=40, looking_for=("lost", "other bytes"))
    assert tally.caught
