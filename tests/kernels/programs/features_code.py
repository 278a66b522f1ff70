"""Cells with functions, classes, modules, and the dictionaries that code runs in."""

from __future__ import annotations

from tests.kernels.programs.feature import Feature

_FILE = """
cache, rows, total = {}, [], 0
class Held:
    made = []
    def __init__(self, mark):
        self.mark = mark
        Held.made.append(mark)
    def add(self, value):
        rows.append(value)
        return self
def add(key, value=None):
    global total
    cache[len(cache)] = value
    total += 1
def count(): return total, rows
def keep(value):
    global kept
    kept = value
"""
HOMES = Feature(
    "homes",
    f"FILE = {_FILE!r}\nHERE = os.path.join(os.getcwd(), 'more.py')\n"
    """
def load(**more):
    scope = {'__name__': '__main__', **more}
    exec(FILE, scope)
    return scope
def home_of(value):
    found = getattr(value, '__globals__', None)
    return found if found is not None and found is not globals() else [value]
""",
    (
        "{0} = load()",
        "{0} = load(other={1})['add']",
        "held = load(); {0}, {1} = held['count'], held['keep']\ndel held",
        "{0} = load()['Held']('h')",
        "pathlib.Path(HERE).write_text(FILE)\n%run {{HERE}}",
        "%run -i {{HERE}}",
        "{0} = rows",
        "{0} = Held('n')",
        "{0}, {1} = keep, count",
        "{0} = home_of({1})",
        "{0} = (home_of({1}), 1)",
        "{0} = functools.partial(put, home_of({1}))",
        "{0} = types.SimpleNamespace(x=home_of({1}), y={2})",
        "home_of({0})['other'] = {1}",
        "{0}({1})",
        "{0}({1})",
        "{0}.add({1})",
        "{0} = {1}()",
        "{0} = {1}['rows']",
        "{0} = {1}['add']; {0}('k', {2})",
        "{0} = {0}.add",
    ),
)
MODULES = Feature(
    "modules",
    """
def make(name, **content):
    made = types.ModuleType(name)
    vars(made).update(content)
    exec('def get(): return held\\ndef put(value): globals()["held"] = value', vars(made))
    return made
""",
    (
        "{0} = make('made', held={1})",
        "{0} = make('also', held={1}, more={2}); {1} = {0}.get",
        "{0} = types.ModuleType('bare')",
        "setattr({0}, 'held', {1})",
        "{0}.put({1})",
        "{0}.get().append({1})",
        "{0} = {1}.get",
        "{0} = ({1}, {1})",
        "{0} = vars({1})",
        "{0} = {1}.get()",
        "{0} = {1}()",
        "class {0}(Thing): home = {1}",
        "exec('class In: held = held', vars({0})); {1} = {0}.In()",
        "del {0}.held",
    ),
)
LINES = Feature(
    "lines",
    """
class Base: shared, known = [], {}
class Middle(Base): also = Base.shared
class Last(Middle):
    def __init__(self, value): self.value = value
    def __init_subclass__(cls): Base.known[len(Base.known)] = cls
class Meta(type):
    made = []
    def __call__(cls, *given):
        one = super().__call__(*given)
        Meta.made.append(one)
        return one
class Of(metaclass=Meta): pass
""",
    (
        "Base.shared = {0}; Last.more = {0}",
        "Middle.also = {0}; Last.more = [{0}, Base.shared]",
        "put(Base.shared, {0})",
        "put(Middle.also, {0})",
        "{0} = Last({1})",
        "class {0}(Last): more = {1}",
        "class Last(Last): more = [{0}]; also = Base.shared",
        "class Base: shared = {0}\nclass Middle(Base): also = {1}\nclass Last(Middle): more = {0}",
        "{0} = Base.known",
        "{0} = Of(); {0}.held = {1}",
        "Meta.made.append({0})",
        "{0} = Meta.made",
        "Last.get = lambda self: ({0}, self)",
        "{0} = {1}.get()",
        "{0} = Last.get",
        "del Middle",
        "Middle.__bases__ = (Thing,)",
        "{0} = type('Made', (Middle,), dict(held={1}))",
        "{0}.__class__ = Middle",
        "Base.again = classmethod(lambda cls: {0})",
        "Base.asked = property(lambda self: {0}, None, None, 'says')",
    ),
)
PARTIALS = Feature(
    "partials",
    "class Part(functools.partial): pass",
    (
        "{0} = functools.partial(put, {1})",
        "{0} = functools.partial({1}, {2})",
        "{0} = functools.partial(held_by, also={1})",
        "{0} = functools.partial(put, ({1},), x=({2}, {1}))",
        "{0} = Part(put, {1}); {0}.tag = {2}",
        "{0}.extra = {1}",
        "{0} = {1}.args[0]",
        "{0} = {1}.keywords",
        "{0}({1})",
        "{0} = {1}()",
        "Thing.part = functools.partialmethod(put, {0})",
        "{0} = [{1}, {1}.func]",
        "{0} = ({1}, [{1}])",
        "{0} = {1}.append",
        "{0} = types.MethodType({1}, {2})",
    ),
)
CLOSURES = Feature(
    "closures",
    """
def counter(value):
    count, held = 0, [value]
    def up(step=1):
        nonlocal count
        count += step
        held.append(count)
        return count
    def inner():
        def deep(): return count, held, up
        return deep
    class Local:
        def get(self): return count, held
        def put(self, value): held.append(value)
    return up, inner, Local
def marked(function):
    @functools.wraps(function)
    def inner(*given):
        inner.calls.append(len(given))
        return function(*given)
    inner.calls = []
    return inner
""",
    (
        "{0}, {1}, _ = counter({2})",
        "{0}, _, {1} = counter({2}); {2} = {1}()",
        "{0}()",
        "{0} = {1}()",
        "{0}.put({1})",
        "{0} = {1}.get()",
        "{0} = marked({1})",
        "@marked\ndef {0}(x={1}): return x",
        "{0}.calls = {1}",
        "{0} = {1}.calls",
        "{0}.__defaults__ = ({1},)",
        "{0}.__code__ = (lambda x=1: x).__code__",
        "{0}.__kwdefaults__ = {{'k': {1}}}",
        "{0}.__closure__[0].cell_contents = {1}",
        "def {0}(*, k={1}, l=[]): return k, l",
        "{0} = [lambda: n for n in ({1}, {2})]",
        "{0} = {1}[0]()",
    ),
)
CACHES = Feature(
    "caches",
    """
class Cached:
    made = 0
    @functools.cached_property
    def parts(self):
        Cached.made += 1
        return [self]
    @property
    def whole(self): return self.parts
    @staticmethod
    def plain(x=[]): return x
    @classmethod
    def named(cls, value):
        made = cls()
        made.value = value
        return made
""",
    (
        "{0} = Cached(); {1} = {0}.parts",
        "{0} = Cached.named({1})",
        "{0} = {1}.parts",
        "put({0}.whole, {1})",
        "put(Cached.plain(), {0})",
        "{0} = Cached.plain",
        "{0} = Cached.named",
        "{0} = {1}.named({2})",
        "class Cached(Cached): more = {0}",
        "del {0}.parts",
        "{0} = vars({1})",
        "{0}['extra'] = {1}",
        "vars({0}).update(x={1})",
        "{0}.__dict__ = {1}",
        "{0} = contextlib.ExitStack(); {0}.callback(put, {1}, 1)",
        "{0} = types.SimpleNamespace(**{1})",
        "{0} = dataclasses.make_dataclass('Row', [('x', list)])({1})",
        "{0} = typing.TypeVar('V'); {1} = typing.Dict[str, {0}]",
        # Over lists: an iterator over a dictionary or a set comes back as one over what was left.
        "{0} = enumerate({1} if type({1}) is list else [{1}]); next({0})",
        "{0} = zip({1} if type({1}) is list else [1, {1}], [{2}, 1])",
        "{0} = map(put, [{1}], [1])",
        "{0} = itertools.chain([{1}], {2} if type({2}) is list else [{2}])",
        "{0} = itertools.cycle([{1}, 1]); next({0})",
        "next({0})",
        "{0} = {1}.keys()",
    ),
)
