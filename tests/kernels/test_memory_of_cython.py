"""Arrays in memory that code compiled with Cython shows: they lie where they lay."""

from __future__ import annotations

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix
pytest.importorskip("sklearn.neighbors")

DATA = "import numpy as np\nX = np.arange(240.0).reshape(60, 4) % 7; y = np.arange(60) % 2\n"
TREES = DATA + "from sklearn.neighbors import *\n"


@pytest.mark.parametrize(
    ("make", "ask"),
    [
        ("m = KNeighborsClassifier().fit(X, y)", "m.predict(X[:5]).tolist()"),
        ("m = KDTree(X)", "m.query(X[:2], 3)[0].tolist()"),
        ("m = BallTree(X, metric='minkowski', p=3)", "m.query(X[:2], 3)[0].tolist()"),
        ("m = KernelDensity().fit(X)", "m.score_samples(X[:3]).tolist()"),
        ("m = LocalOutlierFactor(novelty=True).fit(X)", "m.predict(X[:5]).tolist()"),
    ],
)
def test_what_looks_for_neighbours_comes_back_with_its_data(
    cells: Cells, next_cells: Cells, make: str, ask: str
) -> None:
    """A model that holds views of Cython is exact, and the data that it was made of with it."""
    state = cells.run(TREES + make)
    want = eval(ask, cells.namespace)
    told = {one.name: one for one in report(cells.store, state)}
    assert (told["m"].fidelity, told["m"].reason) == (Fidelity.EXACT, "")
    assert (told["X"].fidelity, told["X"].reason) == (Fidelity.EXACT, "")
    cells.run("X[0, 0] = 99; y[0] = 5; m = 0")
    cells.go(state)
    next_cells.go(state)
    for each in (cells, next_cells):
        each.check("X[0, 0] == 0.0 and y[0] == 0")
        assert eval(ask, each.namespace) == want


def test_an_array_in_memory_that_cython_shows_stays_in_it(cells: Cells, next_cells: Cells) -> None:
    """`np.asarray(tree.data)` is the memory of the data themselves, after a restore, too."""
    state = cells.run(TREES + "m = KDTree(X); a = np.asarray(m.data); b = a[3:5, ::2]")
    cells.run("a = b = m = None")
    cells.go(state)
    next_cells.go(state)
    for each in (cells, next_cells):
        each.run("X[3, 2] = 50.0")
        each.check("a[3, 2] == b[0, 1] == m.data[3, 2] == 50.0 and np.shares_memory(a, X)")
        each.check("b.shape == (2, 2) and b.tolist() == X[3:5, ::2].tolist()")


def test_a_model_follows_data_that_a_later_cell_writes_to(cells: Cells, next_cells: Cells) -> None:
    """The data of a tree are the notebook's own array: the state after a cell that writes to it has
    the tree so, and one that moves back."""
    first = cells.run(TREES + "m = KDTree(X)")
    second = cells.run("X[3, 2] = 50.0")
    for each in (cells, next_cells):
        for state, held in ((first, 0.0), (second, 50.0), (first, 0.0)):
            each.go(state)
            each.check(f"X[3, 2] == m.data[3, 2] == {held}")
