"""Functions whose globals are a dictionary of no module, as `%run`, `exec` and attrs make them."""

from __future__ import annotations

import pytest

from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

_SOURCE = '''
source = """
cache = {}
LOG = []
total = 0
class Held:
    def add(self, value):
        LOG.append(value)
def add(key, value):
    global total
    cache[key] = value
    total += value
def count():
    return len(cache) + total
"""
def load():
    scope = {"__name__": "__main__"}
    exec(source, scope)
    return {name: scope[name] for name in ("cache", "LOG", "Held", "add", "count")}
globals().update(load())
held = Held()
'''
_TOGETHER = (
    "add.__globals__ is count.__globals__ is Held.add.__globals__"
    " and add.__globals__['cache'] is cache and add.__globals__['LOG'] is LOG"
)


def test_in_place_they_run_in_what_lives_with_the_values_of_then(cells: Cells) -> None:
    """Numbers and containers of the file are those of then, for all its functions, and shared with
    the variables; undone, they are those of now."""
    cells.run(_SOURCE)
    scope = cells.namespace["add"].__globals__
    then = cells.run("add('a', 4); held.add(1)")
    now = cells.run("add('b', 9)\nheld.add(2)")
    move = cells.prepare(then)
    move.swap()
    assert cells.namespace["add"].__globals__ is scope
    cells.check(_TOGETHER)
    cells.check("(cache, LOG, count()) == ({'a': 4}, [1], 5)")
    cells.run("add('c', 1)")
    cells.check("(cache, count()) == ({'a': 4, 'c': 1}, 7)")
    cells.go(now)
    cells.check(_TOGETHER)
    cells.check("(cache, LOG, count()) == ({'a': 4, 'b': 9}, [1, 2], 15)")


def test_a_move_that_is_taken_back_gives_them_their_values_again(cells: Cells) -> None:
    cells.run(_SOURCE)
    then = cells.run("add('a', 4)")
    cells.run("add('b', 9)")
    move = cells.prepare(then)
    move.swap()
    cells.check("count() == 5")
    assert move.take_back() is not None
    cells.check(_TOGETHER)
    cells.check("(cache, count()) == ({'a': 4, 'b': 9}, 15)")


def test_what_only_a_method_changes_is_kept(cells: Cells) -> None:
    """No cell names a function or a variable of the file."""
    cells.run(_SOURCE + "del cache, LOG, add, count, Held\n")
    then = cells.run("held.add(1)")
    cells.run("held.add(2)")
    cells.go(then)
    cells.check("type(held).add.__globals__['LOG'] == [1]")


def test_what_does_not_load_leaves_the_functions_as_they_are(cells: Cells) -> None:
    """The dictionary holds something that is not told as it can be made again."""
    cells.run(_SOURCE)
    cells.run(
        "class Odd:\n    def __reduce__(self): return (int, ('no number',))\n"
        "add.__globals__['odd'] = Odd()"
    )
    then = cells.run("add('a', 4)")
    cells.run("add('b', 9)")
    cells.go(then)
    cells.check("add.__globals__['total'] == 13 and count() == 2 + 13")


def test_a_function_that_was_deleted_runs_where_the_others_do(cells: Cells) -> None:
    cells.run(_SOURCE)
    then = cells.run("add('a', 4)")
    cells.run("del add\ncache['b'] = 1")
    cells.go(then)
    cells.check(_TOGETHER)
    cells.run("add('c', 1)")
    cells.check("(cache, count()) == ({'a': 4, 'c': 1}, 7)")


def test_in_a_new_kernel_they_run_in_one_and_go_on_there(cells: Cells, next_cells: Cells) -> None:
    """Also when that kernel goes back to the states of the former."""
    cells.run(_SOURCE)
    first = cells.run("add('a', 4)")
    second = cells.run("add('b', 9)")
    next_cells.go(second)
    next_cells.check(_TOGETHER)
    next_cells.check("(cache, count()) == ({'a': 4, 'b': 9}, 15)")
    scope = next_cells.namespace["count"].__globals__
    next_cells.run("add('c', 1)\ndel add")
    next_cells.check("count() == 17")
    next_cells.go(first)
    assert next_cells.namespace["count"].__globals__ is scope
    next_cells.check(_TOGETHER)
    next_cells.check("(cache, count()) == ({'a': 4}, 5)")


def test_the_dictionary_itself_may_be_a_variable(cells: Cells, next_cells: Cells) -> None:
    cells.run(
        "ns = {'n': 1, 5: [2]}\nexec('def add():\\n    global n\\n    n += 1', ns)\nadd = ns['add']"
    )
    live = cells.namespace["ns"]
    then = cells.run("add(); inside = (ns,)")
    cells.run("add(); ns['more'] = 1")
    cells.go(then)
    assert cells.namespace["ns"] is live
    cells.check("ns['n'] == 2 and 'more' not in ns and add.__globals__ is ns")
    next_cells.go(then)
    next_cells.check("ns['n'] == 2 and add.__globals__ is ns is inside[0] and ns['add'] is add")
    next_cells.check("list(ns) == ['n', 5, '__builtins__', 'add'] and ns[5] == [2]")


@pytest.mark.parametrize("base", ["dict", "collections.defaultdict", "collections.UserDict"])
def test_a_dictionary_of_another_class_is_what_it_was(cells: Cells, base: str) -> None:
    """Only plain ones are filled where they live; what runs in another one is made with it."""
    cells.run(
        f"import collections\nclass Bunch({base}): pass\nns = Bunch()\n"
        "scope = ns if isinstance(ns, dict) else ns.data\nscope['n'] = 1\n"
        "exec('def add():\\n    global n\\n    n += 1', scope)\nadd = scope['add']"
    )
    then = cells.run("add()")
    cells.run("add()")
    cells.go(then)
    cells.check("ns['n'] == 2 and add.__globals__ is (ns if isinstance(ns, dict) else ns.data)")
    cells.run("add()")
    cells.check("ns['n'] == 3")


def test_a_name_of_another_class_than_text_is_no_trouble(cells: Cells, next_cells: Cells) -> None:
    """A function may be called by what comes out of an array of names."""
    cells.run("class Name(str): pass\ndef f(): return n\nf.__name__ = Name('g'); n = 1")
    then = cells.run("f.__qualname__ = Name('h')")
    cells.run("f.__name__ = 'later'; n = 2")
    cells.go(then)
    cells.check("(f.__name__, f.__qualname__, f()) == ('g', 'h', 1)")
    next_cells.go(then)
    next_cells.check("(f.__name__, f.__qualname__, f()) == ('g', 'h', 1)")


def test_a_class_of_attrs_does_not_hold_the_variables_of_its_day(
    cells: Cells, next_cells: Cells
) -> None:
    """Its methods run in a copy of all variables that there were, of which they use a few."""
    pytest.importorskip("attrs", reason="attrs is not installed")
    cells.run("import attrs\nimport threading\nlock = threading.Lock()\ndata = [1]")
    then = cells.run(
        "@attrs.define\nclass P:\n    x: int\n    y: list = attrs.field(factory=list)\n"
        "    z: object = attrs.field(default=data, validator=attrs.validators.instance_of(list))\n"
        "p = P(1)"
    )
    cells.run("p.y.append(2); p.x = 3; data.append(4)")
    cells.go(then)
    cells.check("(p.x, p.y, data) == (1, [], [1]) and p.z is data and P(2).z is data")
    next_cells.go(then)
    next_cells.check("(p.x, p.y, data) == (1, [], [1]) and p.z is data and P(2).z is data")
    next_cells.check("P(1) == p and p == P(1) and P(5).y is not P(6).y")
    next_cells.check("'lock' not in P.__init__.__globals__ and 'lock' in globals()")


_OBJECTS = '''
source = """
import math
import weakref
LOG = []
def helper(value): return math.floor(value) + FIRST
FIRST = 1
class Held:
    made = []
    def __init__(self, value): self.value = value; self.more = None
    def __getstate__(self): return {"value": self.value}
    def __setstate__(self, state): self.value, self.more = state["value"], helper(2.5)
class Keyed:
    def __init__(self, key): self.key = key
    def __hash__(self): return hash(self.key)
    def __eq__(self, other): return self.key == other.key
held = Held(4)
table = {Keyed("k"): held}
Held.made.append(Held(5))
zero = 0
def get(): return held, table
"""
scope = {"__name__": "__main__"}
exec(source, scope)
get, Held = scope["get"], scope["Held"]
order = list(scope)
del scope
'''


def test_objects_of_the_file_are_made_with_the_methods_of_its_classes(
    cells: Cells, next_cells: Cells
) -> None:
    """In a new kernel, what tells its state by itself does so with all it needs of the file."""
    cells.run(_OBJECTS)
    then = cells.run("held = get()[0]; held.value = 6")
    cells.run("held.value = 7; held.more = 8; get.__globals__['zero'] = held")
    cells.go(then)
    next_cells.go(then)
    for one in (cells, next_cells):
        one.check("get()[0] is held and (held.value, held.more) == (6, 3)")
        one.check("[each.value for each in Held.made] == [5]")
        one.check("get()[1] == {get.__globals__['Keyed']('k'): held}")
        one.check("list(get.__globals__) == order and get.__globals__['zero'] == 0")
    next_cells.check("Held.made[0].more == 3")


def test_code_that_makes_values_finds_the_variables_of_its_file_as_they_were(
    cells: Cells, next_cells: Cells
) -> None:
    """The dictionary is a variable and holds itself; after the move it is the very same."""
    source = (
        "def get(): return x\nme = globals()\nclass A:\n"
        "    def __setstate__(self, state):\n        global n\n        n += 1\n"
        "        self.z, self.seen = state['z'], (me['x'], get())\n"
        "a = A(); a.z = 1; x = 5; n = 0"
    )
    cells.run(f"ns = {{'__name__': '__main__'}}\nexec({source!r}, ns)\na = ns['a']; A = ns['A']")
    then = cells.run("a.z = 3")
    live = cells.namespace["ns"]
    cells.run("ns['x'] = 6; a.z = 9; ns['more'] = [1]; del ns['get']")
    cells.prepare(then).drop()
    cells.check("(ns['x'], a.z, list(ns)[-1], 'get' in ns) == (6, 9, 'more', False)")
    cells.go(then)
    next_cells.go(then)
    assert cells.namespace["ns"] is live
    for one in (cells, next_cells):
        one.check("a.z == 3 and a.seen == (5, 5) and a is ns['a'] and A is ns['A']")
        one.check("list(ns)[2:] == ['get', 'me', 'A', 'a', 'x', 'n'] and ns['me'] is ns")
        one.check("ns['n'] == 0")


def test_a_module_that_no_name_finds_stays_one(cells: Cells, next_cells: Cells) -> None:
    """Several variables lead to it, and the functions that run in it."""
    then = cells.run(
        "import types\nm = types.ModuleType('m')\nexec('def f(): return held', vars(m))\n"
        "m.held = []; a = [m]; b = lambda value=m: value; f = m.f"
    )
    cells.run("m.held.append(1); a.append(2)")
    cells.go(then)
    next_cells.go(then)
    for one in (cells, next_cells):
        one.check("a == [m] and b() is m and f is m.f and f() is m.held == []")
        one.check("f.__globals__ is vars(m)")


def test_a_value_that_does_not_load_costs_no_function_of_its_file(
    cells: Cells, next_cells: Cells
) -> None:
    """In a new kernel: what is told before it is there, and who leads to it says so."""
    source = (
        "class A:\n    def __setstate__(self, state): raise ValueError('no')\n"
        "first = [1]\na = A(); a.v = 1\nK = 5\ndef f(): return K\ndef g(): return f()"
    )
    then = cells.run(f"ns = {{}}\nexec({source!r}, ns)\nf, g = ns['f'], ns['g']\ndel ns")
    moved = next_cells.prepare(then)
    moved.swap()
    next_cells.check(
        "g() == 5 and g.__globals__ is f.__globals__ and f.__globals__['first'] == [1]"
    )
    next_cells.check("'ValueError: no' in repr(f.__globals__['a'])")
    told = {one.name: one for one in moved.report}
    assert told["f"].fidelity is Fidelity.MISSING
    assert "ValueError: no" in told["f"].reason


@pytest.mark.parametrize(
    ("hold", "held"),
    [
        ("(scope,)", "held[0]"),
        ("functools.partial(dict, scope)", "held.args[0]"),
        ("types.SimpleNamespace(x=[(1, (scope,))])", "held.x[0][1][0]"),
    ],
)
def test_who_holds_the_dictionary_holds_the_one_that_they_run_in(
    cells: Cells, next_cells: Cells, hold: str, held: str
) -> None:
    """In something that cannot change, too: in place and in a new kernel."""
    then = cells.run(
        "import functools, types\nscope = {'__name__': 'more'}\n"
        "exec('rows = [1]\\ndef add():\\n global rows\\n rows += [2]', scope)\n"
        f"add = scope['add']; held = {hold}"
    )
    cells.run("add()")
    cells.go(then)
    next_cells.go(then)
    for each in (cells, next_cells):
        each.check(f"scope is add.__globals__ is {held} and scope['rows'] == [1]")
