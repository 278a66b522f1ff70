"""Documents without a name: taken for the notebook only where their code says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.evidence import (
    EVERYTHING,
    Evidence,
    EvidenceCell,
    Executed,
    FoundDocument,
    FoundRun,
    Trace,
)
from jupyter_rewind.recovery.otherversions import build_on
from jupyter_rewind.recovery.unnamed import rebuild_named

NOTEBOOK = Path("/work/analysis.ipynb")
STATES = [f"step_{number} = compute({number})" for number in range(8)]


def document(time: int, *sources: str, named: bool = False) -> FoundDocument:
    notebook = str(NOTEBOOK) if named else None
    trace = Trace("git", f"/work: blob {time}", notebook, EVERYTHING, time * 10**9)
    cells = tuple(EvidenceCell("code", source) for source in sources)
    return FoundDocument(trace, cells, time_ns=time * 10**9)


def run(*sources: str) -> FoundRun:
    trace = Trace("history", "/home/history.sqlite")
    executions = tuple(Executed(line, source) for line, source in enumerate(sources, 1))
    return FoundRun(trace, 1, executions, 10**9, notebook=str(NOTEBOOK), certain=True)


def code(*documents: FoundDocument, runs: tuple[FoundRun, ...] = ()) -> list[str]:
    made = rebuild_named(NOTEBOOK, Evidence(documents=documents, runs=runs))
    return [each.cell.source for each in made.cells]


def test_a_nameless_newer_state_of_the_notebook_is_used() -> None:
    """A blob that git knows no name of, with your cells in it, is a later state of the notebook."""
    assert code(document(1, *STATES[:5], named=True), document(2, *STATES)) == STATES


def test_what_ran_for_the_notebook_tells_too() -> None:
    """No named document is left; the code that its kernel ran says which blob is the notebook."""
    strange = [f"other_{number} = 1" for number in range(8)]
    found = code(document(2, *STATES), document(3, *strange), runs=(run(*STATES[:6]),))
    assert found == STATES


def test_a_strange_notebook_never_takes_the_place_of_yours() -> None:
    """However new a nameless notebook is, it is not taken for yours, and you are told of it."""
    strange = document(9, "unrelated = 1", "nothing = 2")
    own = document(1, *STATES, named=True)
    made = rebuild_named(NOTEBOOK, Evidence(documents=(own, strange)))
    assert [each.cell.source for each in made.cells] == STATES
    assert any("without a name" in step for step in made.next_steps)


BEGIN = ["frame = load('sales.csv')", "frame = frame.dropna()", "frame.info(verbose=True)"]


def test_a_newer_notebook_that_begins_alike_takes_no_ones_place() -> None:
    """Half of its code is known, and it has little of what the notebook is about: it is told."""
    own = document(1, *BEGIN, *STATES, named=True)
    other = document(
        9, *BEGIN, "model = KMeans(5)", "model.fit(frame)", "frame['c'] = model.labels_"
    )
    made = rebuild_named(NOTEBOOK, Evidence(documents=(own, other)))
    assert [each.cell.source for each in made.cells] == [*BEGIN, *STATES]
    assert "shares 50% of its code" in made.next_steps[-1]


def test_what_only_a_notebook_without_a_name_has_is_never_certain() -> None:
    """Its code is the notebook's; what it has besides may be a copy's."""
    made = rebuild_named(
        NOTEBOOK, Evidence(documents=(document(1, *STATES[:6], named=True), document(2, *STATES)))
    )
    sure = {each.cell.source: each.confidence >= 0.9 for each in made.cells}
    assert sure == {source: source in STATES[:6] for source in STATES}


def test_cells_with_the_notebooks_ids_are_the_notebooks() -> None:
    """Half of its code was written anew since the commit: the ids of its cells say whose it is."""

    def with_ids(made: FoundDocument) -> FoundDocument:
        ids = (f"{number:08x}" for number in range(1, 99))
        cells = (replace(cell, cell_id=one) for cell, one in zip(made.cells, ids, strict=False))
        return replace(made, cells=tuple(cells))

    anew = [*STATES[:3], *(f"other_{number} = compute({number})" for number in range(5))]
    own, newer = with_ids(document(1, *STATES, named=True)), with_ids(document(2, *anew))
    made = rebuild_named(NOTEBOOK, Evidence(documents=(own, newer)))
    assert [each.cell.source for each in made.cells] == anew
    assert all(each.confidence >= 0.9 for each in made.cells)


def test_a_strange_notebook_is_better_than_nothing_and_is_told_to_be_one() -> None:
    """Where nothing else is left it is offered, and not one cell of it is called likely."""
    made = rebuild_named(NOTEBOOK, Evidence(documents=(document(9, "unrelated = 1"),)))
    assert [each.cell.source for each in made.cells] == ["unrelated = 1"]
    assert all(each.confidence < 0.5 for each in made.cells)
    assert "nothing says that it is the one" in made.next_steps[0]


def in_memory(*sources: str) -> FoundDocument:
    trace = Trace(
        "memory", "process 7 (jupyter-lab), 3fa2c1d0", None, EVERYTHING,
        words="The memory of Jupyter's server: 2 cells, the first begins 'import'",
        handle={"pid": "7", "mark": "3fa2c1d0"},
    )  # fmt: skip
    return FoundDocument(trace, tuple(EvidenceCell("code", source) for source in sources))


def test_what_is_in_memory_under_no_name_is_told_and_never_taken() -> None:
    """Other notebooks are open, too: a wrong name brings back none of them, and says how to."""
    made = rebuild_named(NOTEBOOK, Evidence(documents=(in_memory("import os", "other = 1"),)))
    assert (made.cells, made.alternatives) == ((), ())
    step = made.next_steps[0]
    assert "nothing says that it is this notebook" in step
    assert step.endswith(f"jupyter rewind recover {NOTEBOOK} --memory --from 3fa2c1d0")


def test_what_is_in_memory_under_no_name_is_taken_where_its_cells_are_the_notebooks() -> None:
    """The browser doesn't say which notebook it holds; its cells do."""
    older = document(1, *STATES[:5], named=True)
    made = rebuild_named(NOTEBOOK, Evidence(documents=(older, in_memory(*STATES))))
    assert made.next_steps == ()


def test_what_a_person_names_is_the_notebook() -> None:
    """`--from` says which one it is: it comes back, though nothing else says so."""
    evidence = Evidence(documents=(in_memory("import os", "other = 1"),))
    made = rebuild_named(NOTEBOOK, build_on(NOTEBOOK, evidence, "3fa2c1d0"))
    assert [each.cell.source for each in made.cells] == ["import os", "other = 1"]
    assert all(each.confidence >= 0.5 for each in made.cells)


def test_a_guessed_session_makes_no_cell_certain() -> None:
    """A name that no trace knows: the newest session is offered, and told to be a guess."""
    guessed = replace(run(*STATES), notebook=None, certain=False)
    made = rebuild_named(NOTEBOOK, Evidence(runs=(guessed,)))
    assert [each.cell.source for each in made.cells] == STATES
    assert all(each.confidence < 0.5 for each in made.cells)
    assert "is a guess" in made.next_steps[0]


def guessed(*sources: str) -> FoundRun:
    return replace(run(*sources), notebook=None, certain=False)


def test_guessed_session_and_nameless_notebook_that_agree_are_taken_together() -> None:
    """Staged once, then deleted: what ran says which of git's nameless blobs was your notebook."""
    prose = EvidenceCell("markdown", "# What it is about")
    blob = document(3, *STATES)
    whole = replace(blob, cells=(prose, *blob.cells))
    other = document(5, "unrelated = 1", "nothing = 2")
    evidence = Evidence(documents=(whole, other), runs=(guessed(*STATES, "step_0"),))
    made = rebuild_named(NOTEBOOK, evidence)
    assert [each.cell.source for each in made.cells] == [prose.source, *STATES]
    assert all(0.5 <= each.confidence < 0.9 for each in made.cells)
    assert "agree" in made.next_steps[0]


def test_nameless_notebook_that_only_shares_a_cell_with_a_guess_is_left_out() -> None:
    """One cell in common says nothing: the guess stands alone, and the blob is told."""
    blob = document(3, STATES[0], "unrelated = 1", "nothing = 2")
    made = rebuild_named(NOTEBOOK, Evidence(documents=(blob,), runs=(guessed(*STATES),)))
    assert [each.cell.source for each in made.cells] == STATES
    assert all(each.confidence < 0.5 for each in made.cells)
    assert any("without a name" in step for step in made.next_steps)


def test_nameless_notebook_with_little_of_this_one_is_offered_and_not_taken() -> None:
    """Less than says that it is the one: you are told how much, and how to take it."""
    own = document(1, *STATES, named=True)
    kin = document(9, STATES[0], *(f"other_{at} = {at}" for at in range(4)))
    strange = document(9, "unrelated = 1", "nothing = 2")
    made = rebuild_named(NOTEBOOK, Evidence(documents=(own, strange, kin)))
    assert [each.cell.source for each in made.cells] == STATES
    offered, left = made.next_steps
    assert "shares 20% of its code with this one. If it is the one: --from " in offered
    assert left.startswith("A notebook without a name, unlike this one, left out")


def test_of_many_nameless_notebooks_the_nearest_are_offered() -> None:
    """Two are named with what they share, the rest is counted."""
    own = document(1, *STATES, named=True)
    kin = [
        document(9, STATES[0], *(f"o{number}_{at} = {at}" for at in range(number)))
        for number in (9, 3, 5, 4)
    ]
    first, second, rest = rebuild_named(NOTEBOOK, Evidence(documents=(own, *kin))).next_steps
    assert ("25%" in first, "20%" in second) == (True, True)
    assert rest.startswith("2 notebooks without a name, left out")
