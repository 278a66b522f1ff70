# ruff: noqa: E501 - what is made and what must hold of it stand in one row each
"""Kinds of object that say themselves how they are hashed, made or filled; and what lies beyond."""

from __future__ import annotations

from tests.support.kinds import of_group

AWKWARD = of_group(
    "objects with ways of their own",
    ("tree of objects in sets, hashed by name",
     "class T:\n def __init__(s, name, parent=None):\n  s.name, s.kids, s.parent = name, set(), parent\n"
     "  if parent: parent.kids.add(s)\n def __hash__(s): return hash(s.name)\n"
     " def __eq__(s, o): return s.name == o.name\nroot = T('r'); value = T('k', root)",
     "value in root.kids and len(root.kids) == 1 and value.parent is root and not value.kids",
     "T('z', value)"),
    ("key changed since it was put in",
     "class N:\n def __init__(s, key): s.key = key\n def __hash__(s): return hash(s.key)\n"
     " def __eq__(s, o): return s.key == o.key\nkey = N(1); value = {key: 'x'}; key.key = 5",
     "key not in value and next(iter(value)) is key and key.key == 5", "value.clear()", True),
    ("two keys that became equal",
     "class N:\n def __init__(s, key): s.key = key\n def __hash__(s): return hash(s.key)\n"
     " def __eq__(s, o): return s.key == o.key\n"
     "one, two = N(1), N(2); value = {one: 'x', two: 'y'}; two.key = 1",
     "len(value) == 2 and list(value.values()) == ['x', 'y']", "value.clear()", True),
    ("object that holds itself in a set",
     "class N:\n def __init__(s, key): s.key = key; s.own = {s}\n def __hash__(s): return hash(s.key)\n"
     "value = N(7)", "value in value.own and len(value.own) == 1", "value.own.clear()"),
    ("numpy's NaN as a key", "value = {np.nan: 1}", "value.get(np.nan) == 1", "value.clear()"),
    ("NaN that is a key and a variable", "nan = float('nan'); value = {nan: 1}",
     "value[nan] == 1 and nan != nan", "value.clear()"),
    ("dict with a __setitem__ of its own",
     "class D(dict):\n def __setitem__(s, k, v): super().__setitem__(k.upper(), v)\n"
     "value = D(); value['a'] = 1; dict.__setitem__(value, 'b', 2)",
     "list(value.items()) == [('A', 1), ('b', 2)] and type(value) is D", "value['c'] = 3"),
    ("list with an append of its own",
     "class L(list):\n def append(s, x): super().append((len(s), x))\nvalue = L(); value.append('a')",
     "list(value) == [(0, 'a')] and type(value) is L", "value.append('b')"),
    ("set with an add of its own",
     "class S(set):\n def add(s, x): super().add(x * 2)\nvalue = S(); value.add(1); value.name = 'n'",
     "sorted(value) == [2] and value.name == 'n' and type(value) is S", "value.add(5)"),
    ("tuple with a __new__ of its own",
     "class V(tuple):\n def __new__(c, *a): return super().__new__(c, a[::-1])\nvalue = V(3, 1, 2)",
     "tuple(value) == (2, 1, 3) and type(value) is V"),
    ("int whose __new__ wants more",
     "class U(int):\n def __new__(c, n, unit):\n  made = super().__new__(c, n); made.unit = unit\n"
     "  return made\nvalue = U(5, 'm')", "value == 5 and value.unit == 'm' and type(value) is U"),
    ("text with a __new__ of its own",
     "class W(str):\n def __new__(c, text): return super().__new__(c, text + '!')\nvalue = W('a')",
     "value == 'a!' and type(value) is W"),
    ("what cannot be kept, under two names",
     "pathlib.Path('lines.txt').write_text('a'); file = open('lines.txt')\n"
     "rows = [1]; value = {'file': file, 'rows': rows}",
     "value['file'] is file and file.read() in ('a', '') and value['rows'] is rows == [1]",
     "rows.append(2)", True),
    ("class registered with an abstract one",
     "class A(abc.ABC): pass\nclass B: pass\nA.register(B); value = B()", "isinstance(value, A)"),
    ("class whose bases were changed",
     "class A: x = 1\nclass B: x = 2\nclass C(A): pass\nvalue = C(); C.__bases__ = (B,)",
     "value.x == 2 and C.__bases__ == (B,) and type(value) is C", "C.__bases__ = (A,)"),
    ("variables of a module of the user's own",
     "pathlib.Path('own_module.py').write_text('n = [0]'); sys.path.insert(0, os.getcwd())\n"
     "import own_module as value; value.n.append(5)",
     "value.n == [0, 5]", "value.n.append(6)"),
    ("plain variables of a module of the user's own",
     "pathlib.Path('own_module.py').write_text('n, word = 0, None'); sys.path.insert(0, os.getcwd())\n"
     "import own_module as value; value.n += 5; value.word = 'set'; value.more = (1, 2)",
     "(value.n, value.word, value.more) == (5, 'set', (1, 2))", "value.n = 0; del value.more"),
    ("dict that a module of the user's own holds, too",
     "pathlib.Path('own_module.py').write_text('CACHE, rows = {}, [[1]]')\n"
     "sys.path.insert(0, os.getcwd())\nimport own_module; from own_module import CACHE as value\n"
     "own_module.rows[0].append(2); value['a'] = own_module.rows[0]",
     "value is own_module.CACHE and value['a'] is own_module.rows[0] and value == {'a': [1, 2]}",
     "own_module.CACHE = {}; own_module.rows.clear(); value = 0"),
    ("array that a module of the user's own holds, and a view of it",
     "pathlib.Path('own_module.py').write_text('import numpy as np\\ndata = np.zeros(9000)')\n"
     "sys.path.insert(0, os.getcwd())\nimport own_module; own_module.data[5] = 7\n"
     "value = own_module.data[3:]",
     "value[2] == 7 and np.shares_memory(value, own_module.data) and own_module.data.sum() == 7",
     "own_module.data[5] = 8"),
    ("function of the notebook that a module of the user's own holds",
     "pathlib.Path('own_module.py').write_text('hooks = []'); sys.path.insert(0, os.getcwd())\n"
     "import own_module; rate = 3\ndef value(x): return x * rate\nown_module.hooks.append(value)",
     "own_module.hooks == [value] and own_module.hooks[0](2) == 6", "own_module.hooks.clear()"),
    ("attributes of an object, held apart from it",
     "class A: pass\na = A(); a.x = [1]; value = vars(a)",
     "value is vars(a) is a.__dict__ and value == {'x': [1]} and type(a) is A",
     "value['x'].append(2); value = dict(value)"),
    ("attributes held apart, of a class with a __getstate__ of its own",
     "class A:\n def __getstate__(s): return dict(vars(s))\na = A(); a.x = 1; value = vars(a)",
     "value is vars(a) and a.x == 1", "value['x'] = 2", True),
    ("decoder of JSON with hooks",
     "import json\ndef hook(d): return sorted(d)\n"
     "value = json.JSONDecoder(object_hook=hook, parse_float=decimal.Decimal)",
     "value.decode('{\"b\": 1, \"a\": 2}') == ['a', 'b'] and value.object_hook is hook"
     " and value.decode('1.5') == decimal.Decimal('1.5')"),
    ("object that holds a decoder and an encoder of JSON",
     "import json\nclass C: pass\nvalue = C(); value.codec = json.JSONDecoder(), json.JSONEncoder(indent=1)",
     "value.codec[0].decode('[1]') == [1] and value.codec[1].encode([1]) == '[\\n 1\\n]'"),
)  # fmt: skip
