"""Closed means proved: whenever something outside can reach a value, the count says so."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.kernels.closure import find_opening
from tests.support.values import Node, squares

pytestmark = pytest.mark.matrix


class Thing:
    """Something with attributes, as a notebook makes it."""


class Slotted:
    __slots__ = ("__weakref__", "a", "b")


def is_closed(namespace: dict[str, Any], *names: str, **more: Any) -> bool:
    gc.collect()
    return not find_opening([(namespace, name) for name in names], **more)


def run(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"np": np, "pd": pd, "Thing": Thing, "Slotted": Slotted}
    exec(source, namespace)
    return namespace


CLOSED = {
    "a list": "x = [1, [2], {3: [4]}]",
    "a cycle": "x = []; x.append(x)",
    "a constant": "x = [(1, 2, (3,)), frozenset([1])]\ndef f(): return (1, 2, (3,))",
    "an instance": "x = Thing(); x.a = [1]",
    "an instance whose dict was looked at": "x = Thing(); x.a = [1]; x.__dict__['b'] = [2]",
    "slots": "x = Slotted(); x.a = [1]; x.b = x",
    "many instances": "x = [Thing() for _ in range(50)]; x[3].o = x[4]; x[4].o = x",
    "sets": "x = {1, (2, 3)}",
    "an array": "x = np.arange(10)",
    "a view alone": "x = np.arange(10)[2:]",
    "an array of objects": "x = np.array([1, [2], None], object)",
    "a part of objects": "x = np.array([1, [2], None], object)[1:]",
    "an iterator": "x = iter([1, [2]])",
    "a bound method": "x = [].append",
    "a deque": "import collections\nx = collections.deque([[1]]); y = 0",
    "a dict of enum members": "import enum\nclass E(enum.Enum):\n    A = 1\nx = {E.A: [1]}",
    "a dataclass": "import dataclasses\n@dataclasses.dataclass\nclass D:\n    a: list\nx = D([1])",
    "a queue": "import queue\nx = queue.Queue(); x.put([1])",
    "a frame": "x = pd.DataFrame({'a': [1, 2], 'b': ['x', None], 'c': pd.Categorical(['a', 'b'])})",
    "a frame after use": "x = pd.DataFrame({'a': [1, 2]}); x.groupby('a').sum(); x['a'] += 1",
    "a series": "x = pd.Series(pd.date_range('2020', periods=3, tz='UTC'))",
}


@pytest.mark.parametrize("what", CLOSED)
def test_what_nobody_else_holds_is_closed(what: str) -> None:
    """Only the variable leads to it."""
    namespace = run(CLOSED[what])
    gc.collect()
    assert find_opening([(namespace, "x")]) == ""


OPEN = {
    "another name": "x = [1]; y = x",
    "a list in a list": "x = [[1]]; y = x[0]",
    "from inside another list": "x = [1]; y = [x]",
    "a tuple that holds a list": "x = [([1],)]; y = x[0]",
    "a closure": "def g():\n    x = [1]\n    return x, lambda: x\nx, f = g()",
    "a default argument": "def f(a=[]): return a\nx = f()",
    "a generator": "def g():\n    y = [1]\n    yield y\n    yield 2\nk = g(); x = next(k)",
    "an instance's dict": "x = Thing(); x.a = 1; d = x.__dict__",
    "an attribute of a class": "class A: a = [1]\nx = A.a",
    "a bound method": "x = [1]; f = x.append",
    "an iterator": "x = [1]; i = iter(x)",
    "a dict view": "x = {1: 2}; v = x.items()",
    "a view of an array": "x = np.arange(9); y = x[2:]",
    "the array under a view": "y = np.arange(9); x = y[2:]",
    "an item of an array": "x = np.array([1, [2]], object); y = x[1]",
    "a memoryview": "x = np.arange(9); m = memoryview(x)",
    "memory of a bytearray": "b = bytearray(9); x = np.frombuffer(b, 'u1')",
    "a record of an array": "y = np.zeros(3, [('a', 'i4')]); x = y[0]",
    "a column of a frame": "x = pd.DataFrame({'a': [1, 2]}); s = x['a']",
    "a weak reference": "import weakref\nx = Thing(); r = weakref.ref(x)",
    "a weak dictionary": "import weakref\nx = Thing(); r = weakref.WeakValueDictionary(a=x)",
    "a proxy": "import weakref\nx = Thing(); r = weakref.proxy(x)",
    "a module": "import logging\nx = [1]; logging.rewind_test = x",
    "a partial": "import functools\nx = [1]; f = functools.partial(len, x)",
    "the namespace": "x = globals()",
}


@pytest.mark.parametrize("what", OPEN)
def test_what_something_else_holds_is_open(what: str) -> None:
    """And the words say why."""
    namespace = run(OPEN[what])
    gc.collect()
    try:
        assert find_opening([(namespace, "x")]) != ""
    finally:
        import logging

        vars(logging).pop("rewind_test", None)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = [1]; y = x", "xy"),
        ("x = [[1]]; y = x[0]; z = {0: x, 1: y}", "xyz"),
        ("x = np.arange(9); y = x[2:]", "xy"),
        ("x = np.arange(9); y = memoryview(x)", "xy"),
        ("import weakref\nx = Thing(); y = weakref.ref(x)", "xy"),
        ("x = pd.DataFrame({'a': [1, 2]}); y = x['a']", "xy"),
        ("def g():\n    y = [1]\n    yield y\n    yield 2\ny = g(); x = next(y)", "xy"),
    ],
)
def test_variables_that_share_are_closed_together(source: str, names: str) -> None:
    """Each alone is open, all together are closed."""
    namespace = run(source)
    assert is_closed(namespace, *names)
    assert not is_closed(namespace, names[0])


def test_values_of_libraries_that_tell_all_are_closed() -> None:
    """Models, graphs, formulas and frames of polars do not have to be looked at again."""
    nx, pl, sympy = (pytest.importorskip(name) for name in ("networkx", "polars", "sympy"))
    forest = pytest.importorskip("sklearn.ensemble").RandomForestClassifier
    namespace: dict[str, Any] = {
        "model": forest(3).fit(np.eye(9), [0, 1, 1] * 3),
        "graph": nx.karate_club_graph(),
        "formula": [sympy.Symbol("x") ** 2],
        "table": pl.DataFrame({"a": [1]}),
    }
    for name in namespace:
        assert is_closed(namespace, name), name


def test_values_that_may_be_reached_unseen_are_open() -> None:
    """Tensors are held by autograd's graph, which nobody can count."""
    torch = pytest.importorskip("torch")
    namespace: dict[str, Any] = {"tensor": torch.zeros(3), "net": torch.nn.Linear(2, 2)}
    assert not is_closed(namespace, "tensor")
    assert not is_closed(namespace, "net")


def test_what_cython_shows_memory_by_is_open() -> None:
    """A tree that looks for neighbours has a view of its data, and tells nobody."""
    neighbors = pytest.importorskip("sklearn.neighbors")
    distances = pytest.importorskip("sklearn.metrics").DistanceMetric
    namespace: dict[str, Any] = {"data": np.eye(9), "scales": np.ones(9)}
    namespace["tree"] = neighbors.KDTree(namespace["data"])
    namespace["distance"] = distances.get_metric("seuclidean", V=namespace["scales"])
    assert not is_closed(namespace, "tree")
    assert not is_closed(namespace, "distance")


def test_a_thread_that_holds_a_list_makes_it_open() -> None:
    """Its frame holds the list, however short its code."""
    go, ready = threading.Event(), threading.Event()

    def work(items: list[int]) -> None:
        ready.set()
        go.wait(60)
        items.append(1)

    namespace: dict[str, Any] = {"x": [1]}
    thread = threading.Thread(target=work, args=(namespace["x"],))
    thread.start()
    ready.wait(60)
    held = find_opening([(namespace, "x")])
    go.set()
    thread.join()
    assert held
    del thread
    assert is_closed(namespace, "x")


def test_references_of_the_caller_can_be_told() -> None:
    """A caller that holds the values itself says how often."""
    namespace: dict[str, Any] = {"x": [1], "y": {2: [3]}}
    held = list(namespace.values())
    assert not is_closed(namespace, "x", "y")
    assert is_closed(namespace, "x", "y", held=1)
    del held
    assert not is_closed(namespace, "x", held=1)


def test_bindings_through_which_nobody_writes_do_not_open() -> None:
    """IPython holds the last results; that alone changes nothing."""
    namespace: dict[str, Any] = {"x": [1], "y": [2]}
    hook = {"_": namespace["x"], "__": None}
    assert not is_closed(namespace, "x")
    assert is_closed(namespace, "x", harmless=[(hook, "_"), (hook, "__")])
    assert is_closed(namespace, "y", harmless=[(hook, "_"), (hook, "__")])


def test_a_suspended_generator_is_closed_with_what_it_holds() -> None:
    """It can only be moved through its variable."""
    namespace: dict[str, Any] = {"g": squares(5)}
    next(namespace["g"])
    assert is_closed(namespace, "g")


def test_looking_changes_nothing() -> None:
    """No reference is left behind, and the collector runs on as before."""
    namespace: dict[str, Any] = {"x": Node("n")}
    ref = weakref.ref(namespace["x"])
    find_opening([(namespace, "x")])
    assert gc.isenabled()
    del namespace["x"]
    assert ref() is None


KINDS = st.sampled_from(["list", "dict", "thing", "slotted", "tuple", "array", "deque"])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[str, list[int]]], set[int], set[int]]:
    """Nodes with what they refer to, which of them are variables, and which something holds."""
    count = draw(st.integers(1, 8))
    numbers = st.integers(0, count - 1)
    nodes = [(draw(KINDS), draw(st.lists(numbers, max_size=3))) for _ in range(count)]
    return nodes, draw(st.sets(numbers, min_size=1, max_size=3)), draw(st.sets(numbers, max_size=2))


def _build(nodes: list[tuple[str, list[int]]]) -> list[Any]:
    import collections

    made: list[Any] = []
    for kind, parts in nodes:
        if kind == "tuple":
            # Tuples refer to what is there already; a mutable one is always in it.
            made.append(([], *(made[part] for part in parts if part < len(made))))
        elif kind == "array":
            made.append(np.empty(len(parts), object))
        else:
            makers = {"list": list, "dict": dict, "thing": Thing, "slotted": Slotted}
            made.append(makers.get(kind, collections.deque)())
    for (kind, parts), value in zip(nodes, made, strict=True):
        for place, part in enumerate(parts):
            if kind in ("list", "deque"):
                value.append(made[part])
            elif kind in ("dict", "array"):
                value[place] = made[part]
            elif kind == "thing":
                setattr(value, f"a{place}", made[part])
            elif kind == "slotted" and place < 2:
                setattr(value, "ab"[place], made[part])
    return made


def _edges(nodes: list[tuple[str, list[int]]], number: int) -> list[int]:
    kind, parts = nodes[number]
    if kind == "tuple":
        return [part for part in parts if part < number]
    return parts[:2] if kind == "slotted" else parts


def _reach(nodes: list[tuple[str, list[int]]], starts: set[int]) -> set[int]:
    seen, left = set(starts), list(starts)
    while left:
        for part in _edges(nodes, left.pop()):
            if part not in seen:
                seen.add(part)
                left.append(part)
    return seen


@given(graphs())
def test_closed_is_exactly_what_reachability_says(
    graph: tuple[list[tuple[str, list[int]]], set[int], set[int]],
) -> None:
    """Compared with the graph that was drawn: open if, and only if, something else leads in."""
    nodes, variables, held = graph
    made = _build(nodes)
    component = _reach(nodes, variables)
    outside = [made[number] for number in held]
    others = [made[n] for n in range(len(nodes)) if n not in component]
    namespace = {f"v{number}": made[number] for number in variables}
    expected = not (held & component) and not any(
        part in component
        for number in range(len(nodes))
        if number not in component
        for part in _edges(nodes, number)
    )
    del made
    bindings = [(namespace, name) for name in namespace]
    assert (find_opening(bindings) == "") is expected
    assert (outside, others) is not None
