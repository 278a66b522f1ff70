# ruff: noqa: E501 - what is made and what must hold of it stand in one row each
"""Kinds of object that live outside the process or in its threads, and the kernel's environment."""

from __future__ import annotations

from tests.support.kinds import of_group

LIVE = of_group(
    "live resources",
    ("generator", "def g():\n yield 1\n yield 2\nvalue = g(); next(value)", "next(value) == 2",
     "next(value)", True),
    ("coroutine", "async def c(): return 1\nvalue = c()", "asyncio.run(value) == 1",
     "value.close()", True),
    ("async generator", "async def g():\n yield 1\nvalue = g()",
     "asyncio.run(value.__anext__()) == 1", "value = 0", True),
    ("file for reading", "path = tempfile.mktemp(); open(path, 'w').write('abcdef'); "
     "value = open(path); value.read(2)", "value.read(2) == 'cd'", "value.read(1)", True),
    ("file for writing", "path = tempfile.mktemp(); value = open(path, 'w'); value.write('kept'); "
     "value.flush()", "value.write('x') == 1 and open(path).read() == 'kept'", "value = 0", True),
    ("temporary file", "value = tempfile.TemporaryFile(); value.write(b'a')",
     "value.seek(0) == 0 and value.read() == b'a'", "value = 0", True),
    ("socket", "value = socket.socketpair(); value[0].send(b'x')", "value[1].recv(1) == b'x'",
     "value[1].close()", True),
    ("sqlite connection", "value = sqlite3.connect(':memory:'); value.execute('create table t(a)')",
     "value.execute('select count(*) from t').fetchone() == (0,)", "value.close()", True),
    ("sqlite cursor", "base = sqlite3.connect(':memory:'); value = base.execute('select 1')",
     "value.fetchone() == (1,)", "value.close()", True),
    ("process", "value = subprocess.Popen(['true']); value.wait()", "value.returncode == 0",
     "value = 0", True),
    ("thread that ended", "value = threading.Thread(target=len, args=('a',)); value.start(); "
     "value.join()", "not value.is_alive() and value.ident", "value = 0"),
    ("thread pool", "import concurrent.futures\nvalue = "
     "concurrent.futures.ThreadPoolExecutor(2)", "value.submit(len, 'ab').result() == 2",
     "value.shutdown()", True),
    ("future that is done", "import concurrent.futures\nvalue = concurrent.futures.Future(); "
     "value.set_result([1])", "value.done() and value.result() == [1]", "value = 0"),
    ("Lock", "value = threading.Lock()", "value.acquire(False) and not value.acquire(False)",
     "value.acquire()"),
    ("RLock, Event, Condition", "value = [threading.RLock(), threading.Event(), "
     "threading.Condition()]; value[1].set()", "value[1].is_set() and value[0].acquire(False)",
     "value[1].clear()"),
    ("thread-local", "value = threading.local(); value.x = [1]", "value.x == [1]", "value.x = 2"),
    ("Queue", "value = queue.Queue(); value.put([1])", "value.get(False) == [1] and value.empty()",
     "value.get()"),
    ("weak reference", "class C: pass\nbase = C(); value = weakref.ref(base)", "value() is base"),
    ("dead weak reference", "class C: pass\nvalue = weakref.ref(C())", "value() is None"),
    ("WeakValueDictionary", "class C: pass\nbase = C(); value = weakref.WeakValueDictionary(a=base)",
     "value['a'] is base and (globals().pop('base') is None) + len(value) == 0", "del value['a']"),
    ("WeakKeyDictionary", "class C: pass\nbase = C(); value = weakref.WeakKeyDictionary(); "
     "value[base] = 1", "value[base] == 1", "value[base] = 2"),
    ("finalizer", "class C: pass\nbase = C(); said = []; value = weakref.finalize(base, said.append, 1)",
     "value.alive and value.peek()[0] is base and (value(), said)[1] == [1]", "value()", True),
    ("hash in progress", "value = hashlib.sha256(b'a')",
     "value.hexdigest() == hashlib.sha256(b'a').hexdigest()", "value.update(b'b')", True),
    ("Random", "value = random.Random(3); value.random(); r = random.Random(3); r.random(); "
     "ahead = r.random()", "value.random() == ahead", "value.random()"),
    ("logger with a list handler", "value = logging.getLogger('mine.a')",
     "value is logging.getLogger('mine.a')"),
    ("context variable", "import contextvars\nvalue = contextvars.ContextVar('v', default=3)",
     "value.get() == 3", "value = 0"),
    ("event loop", "value = asyncio.new_event_loop()", "not value.is_closed()", "value.close()",
     True),
    ("frame", "value = sys._getframe()", "value.f_lineno > 0", "value = 0", True),
    ("context manager in use", "value = contextlib.ExitStack(); said = []; "
     "value.callback(said.append, 1)", "(value.close(), said)[1] == [1]", "value.pop_all()"),
    ("ctypes structure", "import ctypes\nclass S(ctypes.Structure): _fields_ = [('a', "
     "ctypes.c_int)]\nvalue = S(5)", "value.a == 5 and type(value) is S", "value.a = 6", True),
    ("map over a function", "value = map(lambda x: x + 1, [1, 2]); next(value)",
     "list(value) == [3]", "next(value)"),
    ("object that refuses to be pickled",
     "class C:\n def __reduce__(s): raise TypeError('never')\nvalue = C()", "type(value) is C",
     "value = 0", True),
    ("a list with one value that refuses",
     "class C:\n def __reduce__(s): raise TypeError('never')\nvalue = [1, C(), 3]; other = [4]",
     "value[0] == 1 and value[2] == 3 and other == [4] and type(value[1]) is C", "other[0] = 5",
     True),
)  # fmt: skip
