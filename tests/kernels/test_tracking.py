"""What a cell can have changed: never too little, and for plain cells not too much."""

from __future__ import annotations

import gc
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_rewind.kernels import tracking
from jupyter_rewind.kernels.tracking import Touched, Tracker

pytestmark = pytest.mark.matrix
HAS_MONITORING = hasattr(sys, "monitoring")
WAYS = [False, True] if HAS_MONITORING else [False]


class Notebook:
    """A namespace whose cells are watched; the first one is behind it."""

    def __init__(self, monitor: bool) -> None:
        self.tracker = Tracker(monitor=monitor)
        self.namespace: dict[str, Any] = {"__name__": "rewind_test_main"}
        self.run("pass")

    def run(self, source: str) -> Touched:
        self.tracker.begin(source, self.namespace)
        try:
            exec(compile(source, "<cell>", "exec", dont_inherit=True), self.namespace)
        finally:
            touched = self.tracker.end()
        return touched


@pytest.fixture(params=WAYS, ids=lambda monitor: "monitoring" if monitor else "names")
def notebook(request: pytest.FixtureRequest) -> Iterator[Notebook]:
    made = Notebook(request.param)
    yield made
    made.tracker.close()


def touches(touched: Touched, name: str) -> bool:
    return touched.everything or name in touched.names


def test_the_first_cell_touches_everything() -> None:
    """What ran before is not known."""
    tracker = Tracker(monitor=False)
    tracker.begin("x = 1", {})
    assert tracker.end().everything
    assert Tracker(monitor=False).end().everything


def test_a_plain_cell_touches_what_it_names(notebook: Notebook) -> None:
    """And nothing else."""
    notebook.run("big = [1]; small = [2]")
    touched = notebook.run("small.append(3)\ntotal = sum(n for n in small)")
    assert not touched.everything
    assert {"small", "total"} <= touched.names and "big" not in touched.names
    assert "big" not in notebook.run("pass").names
    assert "small" not in notebook.run("other = [n for n in range(3)]").names


def test_a_function_touches_what_it_names_when_it_is_called(notebook: Notebook) -> None:
    """Through other functions too; a cell that does not call it is free of it."""
    notebook.run("big = []\ndef inner(): big.append(1)\ndef outer(): inner()")
    assert touches(notebook.run("outer()"), "big")
    assert not touches(notebook.run("x = 1"), "big")
    assert not touches(notebook.run("x = len"), "big")


@pytest.mark.parametrize(
    ("setup", "cell"),
    [
        ("def f(): x.append(1)\nhooks = [f]", "hooks[0]()"),
        ("hooks = {'a': lambda: x.append(1)}", "hooks['a']()"),
        ("class A:\n    def f(self): x.append(1)\na = A()", "a.f()"),
        ("class A:\n    def __del__(self): x.append(1)\na = A()", "del a"),
        ("class A:\n    def __repr__(self): x.append(1); return ''\na = A()", "str([a])"),
        ("class A:\n    @property\n    def p(self): x.append(1)\na = A()", "a.p"),
        ("def f():\n    yield x.append(1)\n    yield x.append(2)\ng = f(); next(g)", "next(g)"),
        ("g = (x.append(n) for n in range(3)); next(g)", "next(g)"),
        ("import functools\nf = functools.lru_cache(lambda n: x.append(n))", "f(3)"),
        ("import functools\nf = functools.partial(lambda n: x.append(n), 1)", "f()"),
        ("def f(n): x.append(n); return n\nm = map(f, [1, 2])", "list(m)"),
        ("import weakref\ndef a(): 0\nr = weakref.ref(a, lambda _: x.append(1))", "del a"),
        ("import logging\nlogging.hook = lambda: x.append(1)", "import logging; logging.hook()"),
        ("def outer():\n    def inner(): x.append(1)\n    return inner\nf = outer()", "f()"),
        ("def f(): x.append(1)\ng = f", "g()"),
        ("def f(): x.append(1)", "h = f; del f; h()"),
        ("def f(): x.append(1)\ndef f2(): f()", "f2(); del f, f2"),
        ("", "globals()['x'].append(1)"),
        ("", "exec('x.append(1)')"),
        ("", "vars()['x'].append(1)"),
        ("", "import sys; sys._getframe().f_globals['x'].append(1)"),
        ("g = globals()", "g['x'].append(1)"),
        ("g = [globals()]", "g[0]['x'].append(1)"),
        ("exec('def f(): x.append(1)')\nhooks = [f]\ndel f", "hooks[0]()"),
        ("", "class A:\n    x.append(1)"),
        ("", "[x.append(n) for n in range(3)]"),
        ("", "def f(a=x): a.append(1)\nf()"),
        ("", "def f():\n    global x\n    x.append(1)\nf()"),
        ("", "(lambda: x.append(1))()"),
        ("", "try:\n    x.append(1)\n    1 / 0\nexcept ZeroDivisionError:\n    pass"),
    ],
)  # fmt: skip
def test_what_changed_is_among_what_was_touched(notebook: Notebook, setup: str, cell: str) -> None:
    """However a cell gets at a variable."""
    notebook.run("x = []")
    notebook.run(setup or "pass")
    notebook.run("y = 1")
    before = len(notebook.namespace["x"])
    touched = notebook.run(cell)
    assert len(notebook.namespace["x"]) > before
    assert touches(touched, "x")


_FRAMES = "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\ndef f(s): x.append(1); return s\n"


@pytest.mark.parametrize(
    ("setup", "cell"),
    [
        ("qs = ['@f(a) > 1']", "df.query(qs[0], engine='python')"),
        ("q = '@f(a) > 1'", "df.query(q, engine='python')"),
        ("", "df.query('@f(a) > 1', engine='python')"),
        ("name = 'f'", "df.query(f'@{name}(a) > 1', engine='python')"),
        ("name = ['(a) > 1']", "df.query('@f' + name[0], engine='python')"),
        ("ask, qs = df.query, ['@f(a) > 1']", "ask(qs[0], engine='python')"),
        ("qs = ['@f(a) > 1']", "getattr(df, 'query')(qs[0], engine='python')"),
        ("qs = ['@f(a) > 1']\ndef g(): return df.query(qs[0], engine='python')", "g()"),
    ],
)
def test_a_text_that_pandas_runs_touches_what_its_functions_touch(
    notebook: Notebook, setup: str, cell: str
) -> None:
    """It finds the notebook's functions by name, and nobody sees them called before Python 3.12."""
    notebook.run("x = []\n" + _FRAMES + setup)
    notebook.run("y = 1")
    touched = notebook.run(cell)
    assert notebook.namespace["x"]
    assert touches(touched, "x")


UNPICKLED = """
def change(*a): x.append(1); return 1
import io, pickle, shelve, sys
change.__module__ = 'rewind_test_by_name'
blob = pickle.dumps({'f': change}); file = io.BytesIO(blob)
def read(): return pickle.load(file)
from pickle import loads as get, Unpickler as U
"""


@pytest.mark.parametrize(
    "cell",
    [
        "pickle.loads(blob)['f']()",
        "model = pickle.load(file)['f'](3)",
        "from pickle import Unpickler as U\nU(file).load()['f']()",
        "read()['f']()",
        "from pickle import loads as l\nl(blob)['f']()",
        "get(blob)['f']()",
        "U(file).__getattribute__('lo' 'ad')()['f']()",
    ],
)
def test_a_function_that_a_pickle_names_may_run_where_one_is_loaded(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    """Nothing but the function's variable leads to it, and the cell does not name that."""
    home = types.ModuleType("rewind_test_by_name")
    monkeypatch.setitem(sys.modules, home.__name__, home)

    def find(name: str) -> Any:
        if name != "change":
            raise AttributeError(name)
        return notebook.namespace[name]

    home.__getattr__ = find  # type: ignore[method-assign]
    notebook.run("x = []" + UNPICKLED)
    assert not touches(notebook.run("y = len"), "x")
    assert touches(notebook.run(cell), "x")
    assert notebook.namespace["x"] == [1]
    assert not touches(notebook.run("y = 1"), "x")


def test_a_module_that_answers_for_every_name_is_not_asked(notebook: Notebook) -> None:
    """Some load what they are asked for, and fail in ways of their own."""
    notebook.run("def put(): pass")
    module = types.ModuleType("rewind_test_lazy")

    def load(name: str) -> object:
        raise ModuleNotFoundError(name)

    module.__getattr__ = load  # type: ignore[method-assign]
    notebook.namespace["lazy"] = module
    assert isinstance(notebook.run("lazy"), Touched)


def test_a_text_that_stands_in_the_cell_touches_nothing_else(notebook: Notebook) -> None:
    notebook.run("x = []\n" + _FRAMES)
    notebook.run("y = 1")
    assert not touches(notebook.run("df.query('a > 1', engine='python')"), "x")
    assert not touches(notebook.run("df.query('a > 1')"), "x")


def test_what_python_warns_of_is_told_once(
    notebook: Notebook, recwarn: pytest.WarningsRecorder
) -> None:
    """By the cell itself: that it is read before it runs is nobody's business."""
    notebook.tracker.begin("x = 3\nif x is 3: pass\ns = '\\d'", notebook.namespace)
    assert not list(recwarn)
    warnings.warn("of the user", stacklevel=1)
    assert len(recwarn) == 1


def test_a_long_text_is_not_gone_through(notebook: Notebook) -> None:
    """It is data: to look for names in it takes longer than a cell may."""
    notebook.run("long, short = 'some words ' * 10_000, 'other names'")
    touched = notebook.run("n = len(long), len(short)")
    assert not touched.everything and "words" not in touched.names
    assert {"long", "short", "other", "names"} <= touched.names
    assert "getattr" in touched.mentioned


def test_a_thread_touches_between_and_during_other_cells(notebook: Notebook) -> None:
    """A function that runs in a thread is told of with every cell until it ends."""
    notebook.run("import threading\nx = []\ngo, went = threading.Event(), threading.Event()")
    work = """
    def work():
        while not go.wait(0.001):
            x.append(1)
        went.set()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    del work
    """
    import textwrap

    notebook.run(textwrap.dedent(work))
    assert touches(notebook.run("y = 1"), "x")
    assert touches(notebook.run("y = 2"), "x")
    notebook.namespace["go"].set()
    assert notebook.namespace["went"].wait(60)
    assert touches(notebook.run("y = 3"), "x")


def test_where_greenlets_are_in_use_any_of_them_may_have_gone_on(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A switch to one says nothing: neither to whoever monitors, nor by a name in the cell."""
    counts = [0]
    module = types.SimpleNamespace(get_total_main_greenlets=lambda: counts[0])
    monkeypatch.setitem(sys.modules, "greenlet._greenlet", module)
    notebook.run("x = []\ndef body(): x.append(1)")
    assert not touches(notebook.run("y = len"), "x")
    notebook.run("held = [body]; del body")
    counts[0] = 1
    assert touches(notebook.run("y = len"), "x")


def test_a_timer_that_ran_between_two_cells_is_told_of(notebook: Notebook) -> None:
    """It held its function when the last cell ended, and not any more when the next began."""
    done = threading.Event()
    notebook.namespace["done"] = done
    notebook.run(
        "import threading\nx = []\ndef ring():\n    x.append(1)\n    done.set()\n"
        "start = threading.Event()\n"
        "t = threading.Thread(target=lambda f: (start.wait(60), f()), args=(ring,))\nt.start()"
    )
    notebook.namespace["start"].set()
    assert done.wait(60)
    notebook.namespace["t"].join()
    assert touches(notebook.run("y = 1"), "x")


def test_functions_that_no_cell_brought_are_looked_at(notebook: Notebook) -> None:
    """A restore brings them, or code that ran outside of cells."""
    notebook.run("x = []")
    outside = "def f(): x.append(1)\nhooks = [f, lambda: x.append(2)]"
    exec(compile(outside, "<outside>", "exec", dont_inherit=True), notebook.namespace)
    notebook.tracker.start_anew("a state was brought back")
    touched = notebook.run("y = 1")
    assert (touched.everything, touched.why) == (True, "a state was brought back")
    assert "y" in touched.names and "names" not in touched.names
    assert touches(notebook.run("f()"), "x")
    assert touches(notebook.run("hooks[1]()"), "x")


def test_code_that_is_no_python_touches_everything(notebook: Notebook) -> None:
    """A magic without IPython cannot be read."""
    notebook.tracker.begin("%who", notebook.namespace)
    touched = notebook.tracker.end()
    assert touched.everything and touched.why


def test_everything_is_not_for_ever(notebook: Notebook) -> None:
    """After a cell that used `exec`, plain cells are plain again."""
    notebook.run("big = [1]")
    assert notebook.run("exec('big.append(1)')").everything
    touched = notebook.run("x = 1")
    assert not touches(touched, "big")


def test_a_namespace_that_was_handed_out_is_watched_until_it_is_back(notebook: Notebook) -> None:
    """Who holds `globals()` can change anything; when it is gone, nobody can."""
    notebook.run("big = [1]")
    notebook.run("held = [globals()]")
    assert notebook.run("x = 1").everything
    notebook.run("del held")
    assert not touches(notebook.run("x = 2"), "big")


@pytest.mark.parametrize("monitor", WAYS)
def test_a_generator_that_ends_in_a_cell_ran_in_it(monitor: bool) -> None:
    """What a generator expression did in the very cell that let it go counts."""
    notebook = Notebook(monitor)
    try:
        notebook.run("c = []")
        notebook.run("b = (c.append(n) for n in range(3))")
        notebook.run("x = 1")
        touched = notebook.run("next(b)\nb = []")
        assert notebook.namespace["c"] == [0]
        assert touched.everything or "c" in touched.names
    finally:
        notebook.tracker.close()


def test_a_generator_that_stays_is_not_looked_for_after_each_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All objects are gone through for that: ever more seldom, and at last it is known to be
    gone."""
    notebook, looks = Notebook(False), [0]
    every = gc.get_objects

    def counted() -> list[Any]:
        looks[0] += 1
        return every()

    notebook.run("c = []\nb = (c.append(n) for n in range(3))")
    monkeypatch.setattr(gc, "get_objects", counted)
    touched = [notebook.run("pass") for _ in range(60)]
    assert all("c" in one.names for one in touched)
    assert looks[0] <= 7
    notebook.run("b = []")
    assert any("c" not in notebook.run("pass").names for _ in range(70))


def test_functions_are_found_by_their_own_names_among_very_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not all variables are gone through; one that bears another name counts as called."""
    monkeypatch.setattr(tracking, "_MANY_NAMES", 0)
    notebook = Notebook(False)
    notebook.run("big = []\ndef put(): big.append(1)")
    assert touches(notebook.run("put()"), "big")
    assert not touches(notebook.run("x = 1"), "big")
    notebook.run("other = lambda: big.append(2)")
    assert touches(notebook.run("x = 1"), "big")
