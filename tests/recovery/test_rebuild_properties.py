"""Whatever was found: nothing that was run is lost, and what is written is sound."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.recovery.evidence import (
    Evidence,
    EvidenceCell,
    Executed,
    FoundDocument,
    FoundRun,
)
from jupyter_rewind.recovery.rebuild import Rebuilt, rebuild, to_notebook
from tests.support.evidence import CHECKPOINT, HISTORY, SAVED, SECOND, TARGET, text_output

LINES = (
    "import numpy as np", "x = 1", "x = 2", "x", "x.shape", "y = f(x)", "def f(a):\n    return a",
    "def f(a):\n    return a + 1", "print(y)", "%who", "z = [y for y in range(10)]", "f(", "",
    "plt.plot(z)", "plt.plot(z, y)", "# only words", "!ls", "café = 'naïve'", "x = 1\ny = f(x)",
)  # fmt: skip
texts = st.one_of(
    st.sampled_from(LINES),
    st.lists(st.sampled_from(LINES), min_size=1, max_size=4).map("\n".join),
    st.text(max_size=30),
)
MOMENTS = st.integers(-5000, 5000).map(lambda seconds: SAVED + seconds * SECOND)
OUTPUTS = st.integers(0, 99).map(lambda number: text_output(f"output {number}"))


@st.composite
def cells(draw: st.DrawFn) -> EvidenceCell:
    kind = draw(st.sampled_from(["code", "code", "code", "markdown", "raw"]))
    source = draw(texts)
    shown = draw(st.lists(OUTPUTS, max_size=1)) if kind == "code" else []
    cell_id = draw(st.sampled_from([None, "a", "b", "c", "no id!"]))
    return EvidenceCell(kind, source, tuple(shown), None, cell_id)


@st.composite
def documents(draw: st.DrawFn) -> FoundDocument:
    made = tuple(draw(st.lists(cells(), max_size=8)))
    when = draw(st.one_of(st.none(), MOMENTS))
    return FoundDocument(CHECKPOINT, made, time_ns=when, complete=draw(st.booleans()))


@st.composite
def runs(draw: st.DrawFn) -> FoundRun:
    executed = tuple(
        Executed(
            line,
            source,
            outputs=tuple(draw(st.lists(OUTPUTS, max_size=1))),
            cell_id=draw(st.sampled_from([None, None, "a", "d"])),
        )
        for line, source in enumerate(draw(st.lists(texts, max_size=12)), 1)
    )
    started = draw(st.one_of(st.none(), MOMENTS))
    ended = None if started is None else draw(st.sampled_from([None, started + 60 * SECOND]))
    notebook = draw(st.sampled_from([None, str(TARGET)]))
    number = draw(st.integers(1, 3))
    return FoundRun(HISTORY, number, executed, started, ended, notebook, notebook is not None)


evidences = st.builds(
    Evidence,
    st.lists(documents(), max_size=3).map(tuple),
    st.lists(runs(), max_size=4).map(tuple),
)


def kept_of(rebuilt: Rebuilt) -> set[str]:
    here = {each.cell.source.rstrip() for each in rebuilt.cells}
    return here | {each.source for each in rebuilt.alternatives}


@settings(max_examples=150, deadline=None)
@given(evidences)
def test_nothing_that_was_run_is_lost(evidence: Evidence) -> None:
    """Every source of the notebook's sessions is a cell or an alternative."""
    rebuilt = rebuild(TARGET, evidence)
    ran = {e.source.rstrip() for each in rebuilt.sessions for e in each.run.executions}
    assert {source for source in ran if source} <= kept_of(rebuilt)


@settings(max_examples=150, deadline=None)
@given(evidences)
def test_certain_sessions_are_the_notebooks(evidence: Evidence) -> None:
    """What a trace says is of this notebook is never left out."""
    rebuilt = rebuild(TARGET, evidence)
    sure = {e.source.rstrip() for run in evidence.runs if run.certain for e in run.executions}
    assert {source for source in sure if source} <= kept_of(rebuilt)


@settings(max_examples=150, deadline=None)
@given(evidences)
def test_what_is_written_is_a_valid_notebook(evidence: Evidence) -> None:
    """The result validates against the notebook format and is plain JSON."""
    book = to_notebook(rebuild(TARGET, evidence))
    nbformat.validate(nbformat.from_dict(json.loads(json.dumps(book))), relax_add_props=False)


@settings(max_examples=150, deadline=None)
@given(evidences)
def test_no_output_stands_under_another_source(evidence: Evidence) -> None:
    """Each output below a cell was made by exactly this source."""
    made = {
        (cell.source.rstrip(), json.dumps(output))
        for document in evidence.documents
        for cell in document.cells
        for output in cell.outputs
    } | {
        (executed.source.rstrip(), json.dumps(output))
        for run in evidence.runs
        for executed in run.executions
        for output in executed.outputs
    }
    for each in rebuild(TARGET, evidence).cells:
        for output in each.cell.outputs:
            assert (each.cell.source.rstrip(), json.dumps(output)) in made


@settings(max_examples=150, deadline=None)
@given(evidences)
def test_no_cell_is_invented(evidence: Evidence) -> None:
    """Every cell stands in a document or was run, and not more often than it did."""
    known = {cell.source.rstrip() for each in evidence.documents for cell in each.cells}
    known |= {e.source.rstrip() for run in evidence.runs for e in run.executions}
    rebuilt = rebuild(TARGET, evidence)
    assert {each.cell.source.rstrip() for each in rebuilt.cells} <= known
    assert all(0 < each.confidence < 1 and each.provenance for each in rebuilt.cells)


@settings(max_examples=150, deadline=None)
@given(documents())
def test_whole_document_alone_comes_back_as_it_is(document: FoundDocument) -> None:
    """With nothing run since, the document comes back cell for cell."""
    rebuilt = rebuild(TARGET, Evidence((document,)))
    if any(cell.source.strip() for cell in document.cells):
        assert [each.cell for each in rebuilt.cells] == list(document.cells)


@settings(max_examples=150, deadline=None)
@given(evidences)
def test_untouched_cells_keep_their_order(evidence: Evidence) -> None:
    """Text cells of the document that rebuilding began with keep their order, none is left out."""
    book = rebuild(TARGET, evidence)
    prose = [each.cell.source for each in book.cells if each.cell.kind != "code"]
    orders = [
        [cell.source for cell in each.cells if cell.kind != "code"] for each in evidence.documents
    ]
    if all(document.complete for document in evidence.documents) and len(orders) == 1:
        [order] = orders
        assert prose in (order, [])


@settings(max_examples=60, deadline=None)
@given(evidences)
def test_recovering_twice_gives_the_same(evidence: Evidence) -> None:
    """What was brought back, recovered again, is the same notebook."""
    first = to_notebook(rebuild(TARGET, evidence))
    again = rebuild(TARGET, Evidence((as_document(first),)))
    if any(cell["source"] for cell in first["cells"]):
        made = to_notebook(again)
        for old, new in zip(first["cells"], made["cells"], strict=True):
            assert bare(old) == bare(new)


@settings(max_examples=150, deadline=None)
@given(evidences)
def test_same_evidence_gives_the_same_notebook(evidence: Evidence) -> None:
    """Recovery is no game of chance."""
    assert rebuild(TARGET, evidence) == rebuild(Path(str(TARGET)), evidence)


def as_document(book: dict[str, Any]) -> FoundDocument:
    made = tuple(
        EvidenceCell(
            cell["cell_type"],
            "".join(cell["source"]),
            tuple(cell.get("outputs", ())),
            cell.get("execution_count"),
            cell["id"],
            cell["metadata"],
        )
        for cell in book["cells"]
    )
    return FoundDocument(CHECKPOINT, made, time_ns=SAVED)


def bare(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in cell["metadata"].items() if key != "rewind"}
    return {**cell, "metadata": metadata}


def test_counter_of_sources_never_grows() -> None:
    """A cell that was run a hundred times is one cell."""
    run = FoundRun(
        HISTORY, 1, tuple(Executed(n, "x = compute(1)") for n in range(1, 101)), SAVED,
        SAVED + SECOND, str(TARGET), True,
    )  # fmt: skip
    rebuilt = rebuild(TARGET, Evidence(runs=(run,)))
    assert Counter(each.cell.source for each in rebuilt.cells) == {"x = compute(1)": 1}
