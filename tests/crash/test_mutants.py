"""The sweep is only worth something if it catches a store that breaks its promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.mutants import CODE_MUTANTS, FILE_MUTANTS, Break
from tests.crash.scenarios import SCENARIOS, check_notebook, replace_notebook
from tests.crash.sweep import record, sweep
from tests.support.recording import RecordingFiles

pytestmark = pytest.mark.crash


def _first_catch(folder: Path, kind: type[RecordingFiles] = RecordingFiles) -> str:
    for name, scenario in SCENARIOS.items():
        root = folder / name
        run = record(scenario, root, kind(root))
        caught = sweep(run, stop_at_first=True).caught
        if caught:
            return caught
    return ""


@pytest.mark.parametrize("mutant", FILE_MUTANTS, ids=lambda each: each.__name__)
def test_a_file_layer_that_skips_a_step_is_caught(
    mutant: type[RecordingFiles], tmp_path: Path
) -> None:
    """Without its syncs, or with the name before the bytes, the store loses what it promised."""
    assert _first_catch(tmp_path, mutant)


@pytest.mark.parametrize("mutant", CODE_MUTANTS, ids=lambda each: each.__name__)
def test_a_store_that_trusts_too_much_is_caught(
    mutant: Break, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check that the store makes is one that a power cut needs."""
    mutant(monkeypatch)
    assert _first_catch(tmp_path)


@pytest.mark.parametrize("mutant", FILE_MUTANTS[:2], ids=lambda each: each.__name__)
def test_a_notebook_replaced_without_syncs_is_caught(
    mutant: type[RecordingFiles], tmp_path: Path
) -> None:
    """A restore that is not on the disk when it says so is found out."""
    root = tmp_path / "work"
    run = record(replace_notebook, root, mutant(root))
    assert sweep(run, check=check_notebook, samples=40, stop_at_first=True).caught
