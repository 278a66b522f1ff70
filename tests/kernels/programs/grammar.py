"""The cells that random programs consist of, and what is done between them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.kernels.programs import features_code as code
from tests.kernels.programs import features_values as values
from tests.kernels.programs.feature import Feature
from tests.support.kinds import PRELUDE
from tests.support.kinds_libraries import NUMPY
from tests.support.kinds_python import CODE, CONTAINERS, PLAIN

# Left out: what is deep or large (slow to write down), and what says itself what is kept of it.
_LEFT_OUT = {
    *("regex match", "list 5 000 deep", "chain of objects 5 000 long", "20 000 dicts"),
    *("exception with cause and traceback", "zip and enumerate half-way", "lru_cache"),
    *("singledispatch", "custom __getstate__", "struct_time", "ufunc from a function", "memmap"),
    *("dict views", "mappingproxy over a live dict", "index by id over a list of dicts"),
}  # fmt: skip
KINDS = [one for one in (*PLAIN, *CONTAINERS, *CODE, *NUMPY) if one.name not in _LEFT_OUT]
START = (
    PRELUDE
    + """
import numpy as np
class Thing:
    shared = []
    def __init__(self, mark): self.mark, self.held = mark, []
    def get(self): return self.held
def put(target, value):
    if isinstance(target, list): target.append(value)
    elif isinstance(target, dict): target[len(target)] = value
    elif isinstance(target, collections.deque): target.append(value)
    elif isinstance(target, set): target.add(len(target) + 1000)
    elif isinstance(target, Thing): target.held.append(value)
    elif isinstance(target, np.ndarray) and target.dtype.hasobject: target[:1] = [value]
    elif isinstance(target, np.ndarray): target[:1] = 7
    elif isinstance(target, bytearray): target.append(1)
    elif isinstance(target, types.ModuleType | types.MethodType): pass
    elif hasattr(target, '__dict__'):
        target.extra = value
def keep(value):
    count = 0
    def look():
        nonlocal count
        count += 1
        return value
    def last(): return count, value
    return look, last
def held_by(value, also=[]):
    def get(more=value): return more, also
    get.hold = also
    return get
a, b, c, d, e = [], {}, np.arange(6.), Thing('d'), 'text'
"""
)
NAMES = "abcde"
_name = st.sampled_from(NAMES)
_two = st.tuples(_name, _name)
_three = st.tuples(_name, _name, _name)


def _of(template: str, names: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[str]:
    return names.map(lambda found: template.format(*found))


_ONE = [
    "del {}",
    "globals().pop({!r}, None)",
    "{} = []",
    "{} = {{}}",
    "{} = {{1, 'x', (2, 3)}}",
    "{} = bytearray(b'abc' * 700)",
    "{} = 'text' * 99",
    "{} = np.arange(3000.)",
    "{} = random.random(); np.random.rand()",
    "{} = Thing(float('nan'))",
    "{0} = {0}() if isinstance({0}, types.FunctionType) else 0",
    "{0} = iter({0}) if type({0}) is list else {0}",
    "Thing.shared.append({})",
    "Thing.get = lambda self: {}",
    "{}",
    "[{0}, {0}]",
    "put(_, {})",
]
_TWO = [
    "put({}, {})",
    "put({}, {})",
    "put({}, {})",
    "{} = {}",
    "{0} = [{1}, {1}]",
    "put({}, {}); 1 / 0",
    "1 / 0; {} = {}",
    "{} = (lambda v: lambda: v)({})",
    "def f(x={}): return {}",
    "{0} = np.arange(8.); {1} = {0}[2:6][::-1]",
    "async def go(): put({}, {})\nawait go()",
    "async def go(): put({}, {})\nasyncio.run(go())",
    "import asyncio; await asyncio.sleep(0); {} = [{}]",
    "t = threading.Thread(target=put, args=({}, {})); t.start(); t.join()\ndel t",
    "{0} = Thing('k'); put({0}, {1})",
    "{} = held_by({})",
    "{0} = {1}.get if isinstance({1}, Thing) else {1}",
    "{0} = {1}[1:] if isinstance({1}, np.ndarray | list) else {1}",
    "{0} = {1}.T if isinstance({1}, np.ndarray) else [{1}]",
    "{} = {{Thing('k'): {}}}",
    "{0} = copy.copy({1})",
    "{0} = weakref.ref({1}) if isinstance({1}, Thing) else {1}",
    "{0} = functools.partial(put, {1})",
    "class {0}(Thing): extra = {1}",
    "class Thing(Thing): extra = [{0}]; more = {1}",
    "def put(target, value, old=put):\n old(target, value); {0}, {1}",
    "{0}, {1} = {1}, {0}",
    "for {0} in [{1}, {1}]: pass",
    "with contextlib.suppress(Exception): {0}.append({1})",
    "{0} = Out; {1} = None",
    "try: raise ValueError({1})\nexcept ValueError as problem: {0} = problem.args",
]
_THREE = [
    "{} = ({}, {})",
    "{} = {{'k': {}, 'l': {}}}",
    "{}, {} = keep({})",
    "{} = np.array([{}, {}, None, 1], dtype=object)",
    "{0} = types.SimpleNamespace(x={1}, y={2})",
    "put({0}, {1}); put({1}, {2}); put({2}, {0})",
]
_OTHER = [
    "random.seed(3); np.random.seed(4)",
    "os.environ['PROGRAM'] = str(len(os.environ))",
    "os.chdir('/')",
    "sys.path.append('/nowhere')",
    "warnings.simplefilter('ignore')",
    "decimal.getcontext().prec += 1",
    "np.set_printoptions(precision=3)",
    "not python at all",
    "",
    "pass",
    "%who_ls",
    "%reset -f out",
    "class Thing(Thing): extra = [1]",
    "import json as a",
    "raise KeyboardInterrupt",
]
CELLS = st.one_of(
    st.builds(lambda kind, name: f"{kind.make}\n{name} = value", st.sampled_from(KINDS), _name),
    st.builds(lambda kind: f"{kind.make}\n{kind.change}", st.sampled_from(KINDS)),
    st.one_of(*(_of(each, st.tuples(_name)) for each in _ONE)),
    st.one_of(*(_of(each, _two) for each in _TWO)),
    st.one_of(*(_of(each, _two) for each in _TWO)),
    st.one_of(*(_of(each, _three) for each in _THREE)),
    st.sampled_from(_OTHER),
)


@dataclass(frozen=True, slots=True)
class Do:
    """A step: a cell that is run, or what the user asks for."""

    what: str
    source: str = ""
    number: int = 0

    def __repr__(self) -> str:
        return f"Do({self.what!r}, {self.source!r}, {self.number})"


_number = st.integers(0, 30)


def _steps(cells: st.SearchStrategy[str]) -> st.SearchStrategy[Do]:
    cell = st.builds(lambda source: Do("cell", source), cells)
    return st.one_of(
        *(cell, cell, cell, cell, cell),
        st.builds(lambda source: Do("unseen", source), cells),
        st.builds(lambda number: Do("to", "", number), _number),
        st.builds(lambda number: Do("to", "", number), _number),
        st.builds(lambda number: Do("new kernel", "", number), _number),
        st.builds(Do, st.sampled_from(("get", "aside")), _name, _number),
        st.just(Do("undo")),
        st.just(Do("redo")),
    )


def _with_features(chosen: frozenset[str], least: int, most: int) -> st.SearchStrategy[list[Do]]:
    """Programs of cells of these features, and of some that all programs have."""
    features = [_BY_NAME[name] for name in sorted(chosen)]
    first = [Do("cell", "\n".join(one.first for one in features))]
    own = st.one_of(*(_CELLS_OF[one.name] for one in features))
    return st.lists(_steps(st.one_of(own, own, own, CELLS)), min_size=least, max_size=most).map(
        lambda steps: [*first, *steps]
    )


def _programs(least: int, most: int) -> st.SearchStrategy[list[Do]]:
    any_cells = st.lists(_steps(CELLS), min_size=least, max_size=most)
    swarms = st.frozensets(st.sampled_from(sorted(_BY_NAME)), min_size=1, max_size=3).flatmap(
        functools.lru_cache(1000)(lambda chosen: _with_features(chosen, least, most - 2))
    )
    return st.one_of(any_cells, swarms, swarms)


def _cells_of(feature: Feature) -> st.SearchStrategy[str]:
    return st.builds(
        lambda template, names: template.format(*names), st.sampled_from(feature.cells), _three
    )


FEATURES = (
    *(code.HOMES, code.MODULES, code.LINES, code.PARTIALS, code.CLOSURES, code.CACHES),
    *(values.OUTSIDE, values.NANS, values.TUPLES, values.ENUMS, values.DERIVED, values.VIEWS),
)
_BY_NAME = {one.name: one for one in FEATURES}
_CELLS_OF = {one.name: _cells_of(one) for one in FEATURES}
PROGRAMS = _programs(3, 12)
LONG_PROGRAMS = _programs(3, 40)
