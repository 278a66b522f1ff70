"""What pickle refuses of Python's own values, and what stands for those that cannot be kept."""

from __future__ import annotations

import array
import collections
import contextvars
import dataclasses
import functools
import json
import queue
import re
import struct
import threading
import types
import typing
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.pickling import in_fresh_process, keep, round_trip
from tests.support.values import Node, Refusal, read_json, squares, type_and_repr

T = typing.TypeVar("T", bound=int)


def test_locks_come_back_as_they_were_held() -> None:
    """A free lock is free, a held one held, and locks that were one are one."""
    free, held, again = threading.Lock(), threading.Lock(), threading.RLock()
    held.acquire()
    again.acquire()
    kept = keep((free, held, again, free))
    back_free, back_held, back_again, same = kept.load()
    assert not back_free.locked() and back_held.locked() and back_again._is_owned()
    assert same is back_free
    assert kept.fidelities == {Fidelity.REBUILT}


def test_a_queue_keeps_what_is_in_it() -> None:
    """Both kinds of queue come back with their content in order, and still work."""
    thorough, simple = queue.Queue[int](), queue.SimpleQueue[int]()
    for number in range(40):
        thorough.put(number)
        simple.put(number)
    for _ in range(20):
        simple.get()
    back, back_simple = round_trip((thorough, simple))
    assert [back.get_nowait() for _ in range(40)] == list(range(40))
    assert [back_simple.get_nowait() for _ in range(20)] == list(range(20, 40))
    assert back_simple.empty() and simple.qsize() == 20
    assert back.not_empty._lock is back.mutex


def test_threads_that_do_not_run_are_rebuilt_and_others_explain_themselves() -> None:
    """One that ended has ended, one not begun can be started, one that runs is told of."""
    go = threading.Event()
    done, fresh = (threading.Thread(target=len, args=([],)) for _ in range(2))
    running = threading.Thread(target=go.wait, name="worker", daemon=True)
    done.start()
    done.join()
    running.start()
    try:
        back_done, back_fresh, back_running = round_trip((done, fresh, running))
    finally:
        go.set()
        running.join()
    assert not back_done.is_alive()
    back_done.join()
    with pytest.raises(RuntimeError):
        back_done.start()
    back_fresh.start()
    back_fresh.join()
    assert isinstance(back_running, Placeholder) and "'worker'" in repr(back_running)


def test_weak_references_point_to_what_came_back() -> None:
    """To the same value where it is kept, to nothing where it is gone."""
    parent, child = Node("parent"), Node("child")
    parent.children.append(child)
    child.parent = weakref.ref(parent)
    gone = weakref.ref(Node("gone"))
    by_name = weakref.WeakValueDictionary({"child": child})
    by_node = weakref.WeakKeyDictionary({child: 7})
    members = weakref.WeakSet([parent])
    method = weakref.WeakMethod(child.shout)
    things = [child.parent, gone, by_name, by_node, members, method, weakref.proxy(child), parent]
    ref, dead, names, nodes, group, shout, proxy, back = round_trip(things)
    assert ref() is back and back.children[0].parent() is back
    assert dead() is None
    assert names["child"] is back.children[0] and dict(nodes) == {back.children[0]: 7}
    assert list(group) == [back]
    assert shout()() == "CHILD" and proxy.name == "child"


def test_a_weak_reference_met_before_its_target() -> None:
    """The target holds the same reference: neither loops nor doubles."""
    node = Node("n")
    node.parent = weakref.ref(node)
    ref, back = round_trip((node.parent, node))
    assert ref is back.parent and ref() is back


def test_views_of_mappings_are_live() -> None:
    """A view or a proxy shows what the mapping gets later."""
    mapping, ordered = {1: 2}, collections.OrderedDict(a=1)
    things = (mapping, mapping.keys(), mapping.items(), types.MappingProxyType(mapping))
    back, keys, items, proxy = round_trip(things)
    back[3] = 4
    assert list(keys) == [1, 3] and (3, 4) in items and proxy[3] == 4
    back_ordered, values = round_trip((ordered, ordered.values()))
    back_ordered["b"] = 2
    assert list(values) == [1, 2]


@given(
    st.binary(min_size=8, max_size=64),
    st.integers(0, 7),
    st.sampled_from([1, 2, 3, -1, -2]),
    st.booleans(),
)
def test_a_memoryview_shares_its_bytes(content: bytes, start: int, step: int, lock: bool) -> None:
    """It shows the same bytes of the same value, stepped and locked as it was."""
    memory = bytearray(content)
    view = memoryview(memory)[start:][::step]
    if lock:
        view = view.toreadonly()
    back, back_view = round_trip((memory, view))
    assert bytes(back_view) == bytes(view)
    assert (back_view.shape, back_view.strides) == (view.shape, view.strides)
    assert back_view.readonly is lock
    back[:] = bytes(len(back))
    assert bytes(back_view) == bytes(len(view))


def test_memoryviews_keep_their_format() -> None:
    """Numbers stay numbers, in rows and columns."""
    numbers = array.array("d", range(6000))
    table = memoryview(numbers).cast("B").cast("d", (60, 100))
    back, view, rows = round_trip((numbers, memoryview(numbers)[5:9], table))
    assert view.tolist() == [5, 6, 7, 8] and rows.shape == (60, 100)
    back[5] = -1
    assert view[0] == -1 and rows.tolist()[0][5] == -1
    assert len(keep(numbers).buffers) == 1


def test_caches_of_functions_come_back_empty_and_say_so() -> None:
    """The function and the limits are kept, the results are not."""
    cached = functools.lru_cache(maxsize=7, typed=True)(len)
    cached("ab")
    kept = keep(cached)
    back = kept.load()
    assert back("abc") == 3
    assert back.cache_parameters() == {"maxsize": 7, "typed": True}
    assert back.cache_info().currsize == 1
    assert kept.fidelities == {Fidelity.REBUILT}


def test_bound_methods_stay_bound_to_the_same_value() -> None:
    """The method of a value that comes back is the method of that very value."""
    node, items = Node("n"), [1]
    back, shout, back_items, append = round_trip((node, node.shout, items, items.append))
    back.name = "other"
    append(2)
    assert shout() == "OTHER" and back_items == [1, 2]


def test_marks_compared_by_identity_are_the_same_marks() -> None:
    """A library's `object()` and the marks of dataclasses are those of the library."""
    fields = dataclasses.fields(dataclasses.make_dataclass("D", [("x", int)]))
    own = object()
    things = (functools._initial_missing, dataclasses.MISSING, own, [own])  # type: ignore[attr-defined]
    library, missing, mine, held = round_trip(things)
    assert library is functools._initial_missing  # type: ignore[attr-defined]
    assert missing is dataclasses.MISSING
    assert held[0] is mine and type(mine) is object
    assert round_trip(fields[0])._field_type is fields[0]._field_type  # type: ignore[attr-defined]


def test_exceptions_keep_cause_and_attributes() -> None:
    """None of their constructors is called; what they hold and what caused them come back."""
    try:
        try:
            raise Refusal("the bank", 7)
        except Refusal as inner:
            raise FileNotFoundError(2, "not there", "a.txt") from inner
    except FileNotFoundError as outer:
        outer.add_note("a note")
        kept = keep([outer])
    back = kept.load()[0]
    assert (back.errno, back.filename, str(back)) == (2, "a.txt", "[Errno 2] not there: 'a.txt'")
    assert back.__notes__ == ["a note"]
    assert type(back.__cause__) is Refusal and back.__cause__.number == 7
    assert back.__context__ is back.__cause__ and back.__suppress_context__
    assert kept.fidelities == {Fidelity.REBUILT}


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "no", "f"),
        KeyError("a"),
        StopIteration(3),
        SystemExit(2),
        UnicodeDecodeError("utf8", b"ab", 0, 1, "bad"),
        UnicodeEncodeError("utf8", "ab", 0, 1, "bad"),
        ImportError("x", name="n", path="p"),
        ExceptionGroup("g", [ValueError(1)]),
        SyntaxError("bad", ("f", 1, 2, "text")),
        AttributeError("a", name="b"),
        ZeroDivisionError(),
    ],
)
def test_exceptions_of_python_come_back(error: BaseException) -> None:
    """Their words and attributes are the same."""
    back = round_trip(error)
    names = ("errno", "strerror", "filename", "value", "code", "name", "path", "lineno", "start")
    assert type(back) is type(error)
    assert (str(back), repr(back.args)) == (str(error), repr(error.args))
    for name in names:
        assert getattr(back, name, None) == getattr(error, name, None)


def test_modules_are_imported_and_made_ones_keep_their_content() -> None:
    """A module of the disk by its name, a module made by hand with what is in it."""
    made = types.ModuleType("made", "its words")
    made.number = [7]  # type: ignore[attr-defined]
    made.itself = made  # type: ignore[attr-defined]
    kept = keep((struct, made, made.number))
    library, back, number = kept.load()
    assert library is struct
    assert back.number is number == [7] and back.itself is back and back.__doc__ == "its words"
    assert kept.fidelities == {Fidelity.REFERENCE}


def test_names_of_types_made_by_hand_come_back_elsewhere() -> None:
    """A type variable and a new type are made again where their module does not hold them."""
    variable = typing.TypeVar("variable", int, str)
    variable.__module__ = "__main__"
    new = typing.NewType("New", int)
    new.__module__ = "__main__"
    back, back_new, library = round_trip((variable, new, T))
    assert back.__constraints__ == (int, str) and back_new.__supertype__ is int
    assert library is T


def test_small_values_that_pickle_refuses() -> None:
    """Formats, matches, context variables, properties: each works as before."""
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("v", default=3)
    variable.set(4)
    matches = list(re.finditer(r"(\d)x", "1x2x"))
    things = (struct.Struct("ii"), re.search("b+", "abbb"), variable, property(len), *matches)
    form, match, back_variable, prop, first, second = round_trip(things)
    assert form.size == 8 and match.span() == (1, 4)
    assert back_variable.get() == 4 and contextvars.Context().run(back_variable.get) == 3
    assert prop.fget is len
    assert (first.group(1), second.group(1), second.span()) == ("1", "2", (2, 4))


def test_values_come_back_in_another_process() -> None:
    """What was written can be read where nothing of it was ever seen."""
    value = (weakref.ref(int), threading.Event(), memoryview(b"abc"), collections.Counter("aab"))
    assert in_fresh_process(value[3], type_and_repr) == repr(type_and_repr(value[3]))
    generator = squares(3)
    seen = in_fresh_process(generator, type_and_repr)
    assert "Placeholder" in seen and "squares" in seen


def test_decoders_of_json_read_as_they_were_told_to() -> None:
    """A decoder of JSON comes back with its hooks, and reads; in a new process, too."""
    kept = json.JSONDecoder(), json.JSONDecoder(parse_int=str, strict=False, object_hook=list)
    assert [type(one) for one in kept] == [json.JSONDecoder] * 2
    assert read_json(round_trip(kept)) == read_json(kept)
    assert in_fresh_process(kept, read_json) == repr(read_json(kept))
    assert read_json(kept) == ({"a": [1, 2.5]}, [["a\t"], "12", "\t"])
