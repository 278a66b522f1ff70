"""Values of pandas, polars, Arrow, scipy, scikit-learn, matplotlib, Pillow, networkx and sympy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sympy
from PIL import Image
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells
from tests.support.pickling import in_fresh_process, keep, round_trip
from tests.support.values import type_and_repr


def make_frame() -> pd.DataFrame:
    length = 300
    frame = pd.DataFrame(
        {
            "numbers": np.arange(length),
            "floats": np.linspace(0, 1, length),
            "texts": ["x", "y", None] * 100,
            "objects": pd.Series(["a", ("b",), None] * 100, dtype=object),
            "arrow": pd.array(["a", None, "c"] * 100, dtype="string[pyarrow]"),
            "python": pd.array(["a", None, "c"] * 100, dtype="string[python]"),
            "categories": pd.Categorical(["u", "v", "u"] * 100, ordered=True),
            "days": pd.date_range("2020", periods=length),
            "zoned": pd.date_range("2020", periods=length, tz="Europe/Paris"),
            "periods": pd.period_range("2020", periods=length),
            "nullable": pd.array([1, None, 2] * 100, dtype="Int64"),
            "truth": pd.array([True, None, False] * 100, dtype="boolean"),
            "sparse": pd.arrays.SparseArray([0, 0, 1] * 100),
            "durations": pd.timedelta_range(0, periods=length),
            "intervals": pd.interval_range(0, length),
        }
    )
    frame.attrs["source"] = {"file": "a.csv"}
    return frame


def test_a_frame_comes_back_with_all_kinds_of_columns() -> None:
    """Values, types, index, attributes and flags; nothing is noted as inexact."""
    frame = make_frame()
    kept = keep(frame)
    back = kept.load()
    pd.testing.assert_frame_equal(frame, back, check_freq=True)
    assert back.attrs == frame.attrs
    assert [type(back[name].array) for name in back] == [type(frame[name].array) for name in frame]
    assert kept.notes == []


def test_a_frame_comes_back_in_another_process() -> None:
    """A new kernel reads it from what was written alone."""
    frame = make_frame().head(2)
    assert in_fresh_process(frame, type_and_repr) == repr(type_and_repr(frame))


def test_the_columns_of_a_frame_are_written_out_of_band_and_once() -> None:
    """A column that was taken out of a frame costs nothing more."""
    frame = pd.DataFrame({name: np.arange(10_000.0) for name in "abcd"})
    alone = keep(frame)
    both = keep((frame, frame["a"], frame.iloc[5:]))
    assert 320_000 <= sum(map(len, alone.buffers)) < 321_000 and len(alone.stream) < 3000
    assert sum(map(len, both.buffers)) < 321_000


def _write(frame: pd.DataFrame, column: pd.Series, indexed: pd.DataFrame) -> None:
    column.iloc[0] = 77
    frame.loc[0, "floats"] = 55.0
    frame.loc[1, "numbers"] = 66
    indexed.iloc[2, 0] = 44.0


def test_a_write_to_a_column_does_what_it_would_have_done() -> None:
    """pandas 3 copies on write when memory is shared, pandas 2 writes through; after a restore
    as before."""
    frame = make_frame()
    things = (frame, frame["numbers"], frame.set_index("numbers"))
    back = round_trip(things)
    _write(*things)
    _write(*back)
    pd.testing.assert_frame_equal(back[0], frame)
    pd.testing.assert_series_equal(back[1], things[1])
    pd.testing.assert_frame_equal(back[2], things[2])


def test_a_frame_made_in_an_arrays_memory_stays_there() -> None:
    """Where pandas was told not to copy, the array and the frame are one memory."""
    table = np.zeros((500, 3))
    frame = pd.DataFrame(table, copy=False)
    back, back_frame = round_trip((table, frame))
    back[0, 0] = 5
    assert np.shares_memory(table, frame.to_numpy()) == (back_frame.iloc[0, 0] == 5)


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(5, name="n"),
        pd.Index(["a", "b"]),
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", "y"]),
        pd.date_range("2020", periods=3, freq="MS"),
        pd.CategoricalIndex(["a", "b"]),
        pd.IntervalIndex.from_breaks([0, 1, 2]),
    ],
    ids=lambda index: type(index).__name__,
)
def test_every_index_comes_back(index: pd.Index) -> None:
    """Type, names, values and frequency."""
    back = round_trip(index)
    pd.testing.assert_index_equal(back, index, exact=True)
    assert getattr(back, "freq", None) == getattr(index, "freq", None)


def test_frames_grouped_or_rolled_come_back() -> None:
    """What was prepared from a frame still computes, from the very frame."""
    frame = make_frame()[["numbers", "floats", "texts"]]
    back, grouped, rolled = round_trip((frame, frame.groupby("texts"), frame["floats"].rolling(3)))
    assert grouped.obj is back
    pd.testing.assert_frame_equal(grouped.sum(), frame.groupby("texts").sum())
    pd.testing.assert_series_equal(rolled.mean(), frame["floats"].rolling(3).mean())


def test_polars_comes_back() -> None:
    """Frames, series, expressions and plans."""
    frame = pl.DataFrame(
        {"a": [1, 2], "b": ["x", None], "c": [[1], [2, 3]], "d": [{"k": 1}, {"k": 2}]}
    )
    kept = keep((frame, frame["a"], frame.lazy().select(pl.col("a") + 1), pl.col("a").alias("z")))
    back, column, plan, expression = kept.load()
    assert back.equals(frame) and back.schema == frame.schema and column.equals(frame["a"])
    assert plan.collect()["a"].to_list() == [2, 3]
    assert frame.select(expression).columns == ["z"]
    assert kept.notes == []


def test_a_plan_of_polars_that_reads_a_file_says_so(tmp_path: Path) -> None:
    """The file is not in the snapshot."""
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "a.parquet")
    kept = keep(pl.scan_parquet(tmp_path / "a.parquet"))
    assert kept.fidelities == {Fidelity.REFERENCE}
    assert kept.load().collect()["a"].to_list() == [1]


def test_arrow_comes_back_out_of_band() -> None:
    """Tables, types and buffers; the columns' memory is not copied into the stream."""
    table = pa.table({"a": list(range(10_000)), "b": pa.array(["x", None] * 5000)})
    kept = keep((table, table.schema, table["a"].chunk(0)[5:]))
    back, schema, part = kept.load()
    assert back.equals(table) and schema.equals(table.schema) and part[0].as_py() == 5
    assert len(kept.stream) < 3000


@pytest.mark.parametrize("rows", [slice(None), slice(3, None)])
def test_what_shows_the_memory_of_an_array_says_so(rows: slice) -> None:
    """Arrow and polars take an array without a copy: a write to it shows in both, and would not
    any more after a move."""
    array = np.arange(10.0)
    column, series = pa.array(array[rows]), pl.Series("x", array[rows])
    array[3] = 50
    assert 50 in column.to_pylist() and 50 in series.to_list()
    space = {"array": array[rows], "other": np.arange(10.0), "column": column}
    for value in (column, pa.table({"c": column}), series, series.to_frame()):
        assert {one for one, _ in keep(value, space).notes} == {Fidelity.REBUILT}
        assert "the memory of array;" in keep(value, space).notes[0][1]


def test_what_lies_beside_borrowed_memory_is_exact(tmp_path: Path) -> None:
    """Columns that are kept together: of the one with memory of its own nothing is said."""
    cells = Cells(tmp_path)
    state = cells.run(
        "import numpy as np, pyarrow as pa\na = np.arange(6.); lent = pa.array(a)\n"
        "own = pa.array([1, 2]); table = pa.table({'a': lent})"
    )
    said = {one.name: one.fidelity for one in report(cells.store, state)}
    cells.close()
    assert said["own"] is said["a"] is Fidelity.EXACT
    assert said["lent"] is said["table"] is Fidelity.REBUILT


def test_what_shows_the_memory_of_a_frame_says_so() -> None:
    """A table made from a frame takes its columns as they are."""
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    table = pa.Table.from_pandas(frame)
    assert "the memory of frame;" in keep(table, {"frame": frame}).notes[0][1]


def test_columns_with_memory_of_their_own_are_exact() -> None:
    """Also where an array shows theirs, and where they have none."""
    column, series = pa.array([1, 2, 3]), pl.Series("x", [1, 2, 3])
    shown = column.to_numpy(), series.to_numpy()
    space = {"shown": shown[0], "too": shown[1], "text": "t", "of": np.arange(3)}
    empty = pl.Series("e", [], dtype=pl.Float64), pa.array([], pa.int64())
    values = (column, series, empty, pl.Series("n", [1, None]), pl.Series("s", ["a"]))
    assert keep(values, space).notes == []


def test_sparse_matrices_share_their_arrays() -> None:
    """Each format comes back; the data array stays the matrix's own."""
    matrix = sparse.random(50, 50, 0.1, format="csr", rng=np.random.default_rng(0))
    back, data = round_trip((matrix, matrix.data))
    assert back.data is data and (back != matrix).nnz == 0
    for form in ("csc", "coo", "lil", "dok", "bsr", "dia"):
        other = matrix.asformat(form)
        again = round_trip(other)
        assert type(again) is type(other) and (again.tocsr() != matrix).nnz == 0


def test_fitted_models_predict_the_same() -> None:
    """A pipeline of scikit-learn, fitted, with all its trees."""
    rng = np.random.default_rng(0)
    table = rng.random((80, 3))
    model = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0))
    model.fit(table, table[:, 0] > 0.5)
    kept = keep(model)
    back = kept.load()
    assert np.array_equal(back.predict_proba(table), model.predict_proba(table))
    assert back.get_params().keys() == model.get_params().keys()
    assert kept.notes == []


def _pixels(figure: Any) -> bytes:
    memory = io.BytesIO()
    figure.savefig(memory, format="rgba")
    return memory.getvalue()


def test_a_figure_draws_the_same_and_is_not_shown_again() -> None:
    """Its axes are the axes that came back; pyplot does not get a second figure."""
    figure, axes = plt.subplots()
    try:
        axes.plot([1, 3, 2], label="a")
        axes.legend()
        numbers = plt.get_fignums()
        kept = keep((figure, axes))
        back, back_axes = kept.load()
        assert back.axes[0] is back_axes
        assert _pixels(back) == _pixels(figure)
        assert plt.get_fignums() == numbers
        assert kept.fidelities == {Fidelity.REBUILT}
    finally:
        plt.close(figure)
    assert keep(figure).notes == []


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "F", "I"])
def test_images_keep_their_pixels(mode: str) -> None:
    """Mode, size, pixels, palette and information."""
    image = Image.linear_gradient("L").convert(mode)
    image.info["dpi"] = (72, 72)
    back = round_trip(image)
    assert (back.mode, back.size, back.tobytes()) == (image.mode, image.size, image.tobytes())
    assert back.getpalette() == image.getpalette() and back.info == image.info


def test_an_image_that_was_not_read_yet_is_not_read(tmp_path: Path) -> None:
    """It is opened again by its name; where the file is gone, words stand in its place."""
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), (1, 2, 3)).save(path)
    with Image.open(path) as image:
        kept = keep(image)
        assert image._im is None
    assert kept.load().getpixel((0, 0)) == (1, 2, 3)
    assert kept.fidelities == {Fidelity.REFERENCE}
    path.unlink()
    assert isinstance(kept.load(), Placeholder)


def test_graphs_come_back_with_live_views() -> None:
    """Nodes, edges and attributes; a view shows what is added to the graph later."""
    graph = nx.karate_club_graph()
    back, nodes, part = round_trip((graph, graph.nodes, graph.subgraph([0, 1, 2])))
    assert nx.utils.graphs_equal(back, graph)
    back.add_node("new")
    assert "new" in nodes and part.number_of_nodes() == 3


def test_symbols_and_functions_of_sympy_are_equal_and_one() -> None:
    """Assumptions hold, a function made by name is the one that its uses name."""
    x = sympy.Symbol("x", positive=True)
    f = sympy.Function("f")
    things = (x**2 + f(x), f, x, sympy.Integral(x, x), sympy.Matrix([[x, 1]]))
    total, function, symbol, integral, matrix = round_trip(things)
    assert total == x**2 + f(x) and integral == sympy.Integral(x, x)
    assert function == f and symbol.is_positive and matrix == sympy.Matrix([[x, 1]])
    assert total.diff(x) == (x**2 + f(x)).diff(x)
