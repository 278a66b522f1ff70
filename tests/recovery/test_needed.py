"""Rebuilt from history alone: what cells need that are kept is kept, all else has its reason."""

from __future__ import annotations

from jupyter_rewind.recovery.needed import NEEDED
from jupyter_rewind.recovery.reasons import BEFORE, EARLIER, LOOK
from jupyter_rewind.recovery.rebuild import Rebuilt
from tests.support.evidence import CHECKPOINT, TARGET, document, rebuilt_of, session, sources_of

READ = "df = pd.read_csv('a.csv', parse_dates=['day'])"
SCORE = "def score(x):\n    return x.median()"
WEEKLY = "weekly = clean.resample('W', on='day').sum()"
MONTHLY = "monthly = clean.resample('M', on='day').sum()"
DAYS = [
    ["import pandas as pd", "df = pd.read_csv('a.csv')", "df.head()", "clean = df.dropna()",
     "def score(x):\n    return x.mean()", "score(clean.a)", "print(score(clean.b))"],
    ["import pandas as pd", READ, "clean = df.dropna()", SCORE, "score(clean.a)", WEEKLY,
     "weekly", "weekly.plot()", "weekly.to_csv('out.csv')"],
    ["%load_ext autoreload", "import pandas as pd", READ, "clean = df.dropna()", WEEKLY, MONTHLY,
     "x = 1", "del x", "monthly.plot()"],
]  # fmt: skip


def rebuilt() -> Rebuilt:
    days = enumerate(DAYS)
    runs = [session(at + 1, ran, at=86_400 * at, notebook=str(TARGET)) for at, ran in days]
    return rebuilt_of(runs=runs)


def test_what_cells_use_that_are_kept_is_kept_as_doubtful() -> None:
    """`weekly.plot()` comes back: so does what makes `weekly`, however alike later code was."""
    cells = {each.cell.source: each for each in rebuilt().cells}
    assert {"weekly.plot()", "print(score(clean.b))", MONTHLY} <= set(cells)
    for source in (WEEKLY, SCORE):
        assert cells[source].confidence < 0.5
        assert cells[source].words == NEEDED
        assert [one.trace.kind for one in cells[source].provenance] == ["history"]


def test_what_is_needed_stands_above_what_needs_it() -> None:
    """It came back where it was: the notebook runs from its top."""
    sources = sources_of(rebuilt())
    assert sources.index(WEEKLY) < sources.index("weekly.plot()")
    assert sources.index(SCORE) < sources.index("print(score(clean.b))")
    assert len(sources) == len(set(sources))


def test_all_code_that_is_left_out_has_a_reason() -> None:
    """Nobody has to guess why a piece of code is not in the notebook."""
    left = {each.source: each.words for each in rebuilt().alternatives}
    assert "" not in left.values(), left
    assert left["def score(x):\n    return x.mean()"] == EARLIER
    assert left["df.head()"] == LOOK


def test_code_that_ran_before_the_save_has_that_reason() -> None:
    """The checkpoint lacks it: it was deleted before, and is not needed by what history tells."""
    saved = document("import pandas as pd", READ, trace=CHECKPOINT, at=5000)
    ran = session(1, ["import pandas as pd", "old = start_with(1)", READ], notebook=str(TARGET))
    made = rebuilt_of([saved], [ran])
    assert sources_of(made) == ["import pandas as pd", READ]
    assert {each.source: each.words for each in made.alternatives} == {
        "old = start_with(1)": BEFORE
    }
