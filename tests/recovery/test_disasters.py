"""Simulated disasters of real notebooks, whose truth is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.disasters import OURS
from benchmarks.material import CORPUS, as_evidence, material, real_versions, simulate
from benchmarks.recovery import score
from jupyter_rewind.recovery.rebuild import rebuild
from jupyter_rewind.recovery.unnamed import rebuild_named

pytestmark = [
    pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of real notebooks is not here"),
    pytest.mark.slow,
]
TARGET = Path("/home/u") / OURS
SEEDS = range(900_000, 900_030)


@pytest.mark.parametrize("real", [True, False], ids=["real versions", "changed notebooks"])
def test_most_of_a_lost_notebook_comes_back(real: bool) -> None:
    """After a crash far more of the notebook is brought back than its last checkpoint has."""
    notebooks = material()
    versions = real_versions(slice(1, None, 2)) if real else []
    with_rewind, without = [], []
    for seed in SEEDS:
        disaster = simulate(seed, notebooks, versions)
        stale = disaster.stale or ()
        rebuilt = rebuild(TARGET, as_evidence(disaster))
        got = [(each.cell.kind, each.cell.source.rstrip()) for each in rebuilt.cells]
        with_rewind.append(score(got, disaster.truth, stale).recall)
        without.append(score(stale, disaster.truth, stale).recall)
    assert sum(with_rewind) / len(with_rewind) > 0.85
    assert sum(with_rewind) > sum(without) + 3


def test_nothing_run_in_its_sessions_is_missing() -> None:
    """All that was run in the notebook's sessions is in the result or among its alternatives."""
    notebooks = material()
    for seed in SEEDS:
        disaster = simulate(seed, notebooks)
        rebuilt = rebuild(TARGET, as_evidence(disaster))
        kept = {each.cell.source.rstrip() for each in rebuilt.cells}
        kept |= {each.source for each in rebuilt.alternatives}
        for each in rebuilt.sessions:
            assert {e.source.rstrip() for e in each.run.executions} - {""} <= kept


def test_cells_marked_certain_are_right() -> None:
    """Of the cells that are marked 90 % certain at least 90 % were in the notebook just so."""
    notebooks, versions = material(), real_versions(slice(1, None, 2))
    right = marked = 0
    for seed in SEEDS:
        for disaster in (simulate(seed, notebooks), simulate(seed, notebooks, versions)):
            left = Counter(disaster.truth)
            for each in rebuild(TARGET, as_evidence(disaster)).cells:
                key = (each.cell.kind, each.cell.source.rstrip())
                if each.confidence >= 0.9 and key[1]:
                    marked += 1
                    right += left[key] > 0
                left[key] -= 1
    assert marked > 500
    assert right / marked >= 0.9


def test_guesses_are_never_marked_certain() -> None:
    """With neither a document nor a connection file left, a guess begins the chain of sessions: of
    what is marked 90 % certain, if anything is, at least 90 % was in the notebook."""
    notebooks = material()
    right = marked = cells = 0
    for seed in SEEDS:
        disaster = simulate(seed, notebooks)
        left = Counter(disaster.truth)
        bare = replace(as_evidence(disaster), documents=(), kernels=())
        for each in rebuild_named(TARGET, bare).cells:
            key = (each.cell.kind, each.cell.source.rstrip())
            cells += 1
            if each.confidence >= 0.9:
                marked += 1
                right += left[key] > 0
            left[key] -= 1
    assert cells > 300
    assert right >= 0.9 * marked
