"""Cells with values that hold others in ways of their own, or that others hold."""

from __future__ import annotations

from tests.kernels.programs.feature import Feature

OUTSIDE = Feature(
    "outside",
    "",
    (
        "string.outside.append({0})",
        "string.outside.append({0})",
        "string.outside.append([{0}])",
        "string.outside.append(lambda: {0})",
        "string.outside.append(({0}, {1}))",
        "string.outside.extend(vars(Thing).values())",
        "{0} = []; string.outside.append({0})",
        "{0} = {{}}; {1} = {0}; string.outside.append({0})",
        "{0} = Thing('o'); string.outside.append({0})",
        "{0} = np.arange(2000.); string.outside.append({0})",
        "del {0}; {0} = np.ones(2000); string.outside.append({0})",
        "{0} = {0} + 1; string.outside.append({0})",
        "{0}[:1] = 5",
        "{0} = ({1}, {1}); put({1}, 1)",
        "put({0}, 1)",
        "put({0}, {1})",
    ),
)
NANS = Feature(
    "nans",
    "one_nan = float('nan')",
    (
        "{0} = float('nan')",
        "{0} = [one_nan, {1}, one_nan]",
        "{0} = Thing(one_nan)",
        "{0} = {{one_nan: {1}}}",
        "{0} = {{(one_nan, 1): {1}}}",
        "{0} = (one_nan, {1})",
        "{0} = {{one_nan, 1}}",
        "{0} = types.SimpleNamespace(x=one_nan, y={1})",
        "{0} = np.array([one_nan, {1}], dtype=object)",
        "{0} = iter([one_nan, {1}]); next({0})",
        "Thing.nan = one_nan",
        "put({0}, one_nan)",
        "put({0}, {1})",
    ),
)
TUPLES = Feature(
    "tuples",
    """
class Two(tuple): pass
Pair = collections.namedtuple('Pair', 'x y')
""",
    (
        "{0} = ({1}, ({2}, {1}))",
        "{0} = ({{'k': {1}}}, {1})",
        "{0} = ([{1}], {{}}, Thing('t'))",
        "{0} = {1}[0]",
        "{0} = {1}[-1]",
        "put({0}[0], {1})",
        "{0} = {{(1, Thing('k')): {1}}}",
        "{0} = frozenset([Thing('f'), 1])",
        "{0} = slice({1}, {2})",
        "{0} = Pair({1}, {2})",
        "{0} = {1}._replace(x={2})",
        "{0} = Two(({1}, {2})); {0}.tag = {1}",
        "{0} = ({1},); {1} = {0}",
        "{0} = [({1}, 1), ({1}, 2)]",
        "{0} = np.array([({1},)], dtype=[('x', object)])",
        "def {0}(x=({1}, {2})): return x",
        "put({0}, ({1},)); put({1}, ({0},))",
    ),
)
ENUMS = Feature(
    "enums",
    """
class Kind(enum.Enum):
    A = [1]
    B = (1, [2], {})
    C = Thing('c')
class Flags(enum.Flag):
    R = 1
    W = 2
class Number(enum.IntEnum):
    ONE = 1
    TWO = 2
""",
    (
        "{0} = Kind.B",
        "{0} = Kind.A.value",
        "{0} = Kind.B.value",
        "{0} = Kind.B.value[1]",
        "put(Kind.A.value, {0})",
        "put(Kind.B.value[1], {0})",
        "put(Kind.C.value, {0})",
        "Kind.A.extra = {0}",
        "Kind.held = {0}",
        "{0} = Flags.R | Flags.W",
        "{0} = {{Kind.A: {1}, Number.ONE: {2}}}",
        "{0} = [Number.ONE, Number(2), Flags.R, {1}]",
        "class Kind(enum.Enum):\n A = [{0}]\n B = (1, {1})",
        "class Kind(enum.Enum):\n A = [1]\n B = (1, [2])\n def get(self): return {0}",
        "{0} = Kind.A.get",
        "{0} = Kind([1])",
    ),
)
DERIVED = Feature(
    "derived",
    """
class L(list): pass
class D(dict): pass
class S(set): pass
class Q(collections.deque): pass
class I(int): pass
class T(str): pass
class E(Exception): pass
class O(collections.OrderedDict): pass
class F(collections.defaultdict): pass
class A(np.ndarray): pass
class U(collections.UserDict): pass
class K(dict):
    __slots__ = ('more',)
""",
    (
        "{0} = L([{1}])",
        "{0} = D(k={1})",
        "{0} = S([1, 'x', Thing('s')])",
        "{0} = Q([{1}, 1], 5)",
        "{0} = I(5); {0}.unit = {1}",
        "{0} = T('t'); {0}.unit = {1}",
        "{0} = E('e', {1})",
        "{0} = O(k={1}, l={2}); {0}.move_to_end('k')",
        "{0} = F(lambda: {1}); {0}[1]",
        "{0} = np.arange(300.).view(A); {0}.tag = {1}",
        "{0} = U(k={1})",
        "{0} = K(k={1}); {0}.more = {2}",
        "{0}.tag = {1}",
        "{0}.append({1})",
        "{0}['k'] = {1}",
        "{0}.data = {1}",
        "put({0}, {1})",
        "put({0}, {0})",
        "{0} = {1}.args[-1]",
        "{0} = {1}.data",
        "try: raise E({1}) from E({2})\nexcept E as problem: {0} = problem.__cause__",
        "{0} = copy.copy({1})",
        "class L(L): more = {0}",
    ),
)
VIEWS = Feature(
    "views",
    "",
    (
        "{0} = np.arange(4000.).reshape(40, 100)",
        "{0} = {1}[1:3]",
        "{0} = {1}.reshape(-1)[::2]",
        "{0} = {1}.T[1:]",
        "{0}[...] = 3",
        "{0} += 1",
        "{0} = {0} * 2",
        "{0}.flags.writeable = False",
        "{0} = np.zeros(400, dtype=[('x', float), ('y', int)]); {1} = {0}['x']",
        "{0} = bytearray(4000); {1} = np.frombuffer({0}, dtype=np.uint8)",
        "{0} = memoryview({1})",
        "{0} = np.broadcast_to({1}, (2, *{1}.shape))",
        "{0} = np.ma.masked_array({1}, mask=False)",
        "{0} = ({1}, {1}[:2])",
        "{0} = [{1}.ravel(), {1}]",
        "{0} = np.random.default_rng(1); {1} = {0}.bit_generator",
        "{0}.random()",
        "{0} = np.array([{1}, {2}, {1}], dtype=object)",
        "{0}[0] = {1}",
    ),
)
