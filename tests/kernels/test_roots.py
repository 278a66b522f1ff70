"""Which values of a namespace are kept together, and how a change of one is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.kernels.hubs import Hubs
from jupyter_rewind.kernels.names import ORDER
from jupyter_rewind.kernels.roots import NAMED, Gatherer

_names = st.sampled_from(["a", "b", "c", "d", "_i7", "In", "exit"])
_values = st.one_of(st.integers(-3, 3), st.text("xy", max_size=3), st.just([1]), st.just(len))
_changes = st.lists(st.tuples(_names, st.one_of(_values, st.just("delete"))), max_size=4)


@given(st.lists(_changes, max_size=12), st.sets(st.sampled_from("ab")))
def test_what_is_gathered_is_what_the_namespace_holds(
    rounds: list[list[tuple[str, Any]]], excluded: set[str]
) -> None:
    """Whatever was bound, bound anew or deleted between two looks, the roots are those of the
    namespace, and a group that is said to be unchanged holds the very values of the last look."""
    namespace: dict[str, Any] = {}
    gatherer = Gatherer(Hubs())
    before: dict[str, dict[str, Any]] = {}
    for changes in rounds:
        for name, value in changes:
            if value == "delete":
                namespace.pop(name, None)
            else:
                namespace[name] = value
        roots = gatherer.gather(namespace, excluded)
        assert roots.values.pop(ORDER) == [name for name in namespace if name in "abcd"]
        flat = {
            key: value
            for group, held in roots.values.items()
            for key, value in (held.items() if group.startswith("a:") else [(group, held)])
        }
        wanted = {
            f"v:{name}": value
            for name, value in namespace.items()
            if name in "abcd" and name not in excluded
        }
        assert flat.keys() == wanted.keys()
        assert all(flat[key] is value for key, value in wanted.items())
        for group in roots.unchanged:
            assert before[group] == roots.values[group]
        assert (NAMED in roots.unchanged) <= (NAMED in roots.values)
        before = {key: dict(one) for key, one in roots.values.items() if key.startswith("a:")}
        gatherer.settle()


def test_a_look_that_was_not_kept_counts_again() -> None:
    """Where a state could not be stored, what it held new is still new the next time."""
    namespace: dict[str, Any] = {"a": 1}
    gatherer = Gatherer(Hubs())
    assert not gatherer.gather(namespace).unchanged
    assert not gatherer.gather(namespace).unchanged
    gatherer.settle()
    assert gatherer.gather(namespace).unchanged == {"a:0"}
    namespace["b"] = 2
    assert not gatherer.gather(namespace).unchanged


def test_what_is_kept_by_name_is_unchanged_until_it_goes_by_another() -> None:
    """Functions, classes and modules that stand under the same names are not told again; one that
    was bound anew is, and so is a class that its own module no longer holds."""
    namespace: dict[str, Any] = {"a": len, "b": Path, "c": json}
    gatherer = Gatherer(Hubs())
    assert not gatherer.gather(namespace).unchanged
    gatherer.settle()
    assert gatherer.gather(namespace).unchanged == {NAMED}
    namespace["a"] = max
    assert not gatherer.gather(namespace).unchanged
    gatherer.settle()
    namespace["b"] = type("Path", (), {"__module__": "pathlib", "__qualname__": "Path"})
    assert not gatherer.gather(namespace).unchanged
    gatherer.settle()
    del namespace["a"], namespace["b"], namespace["c"]
    assert NAMED not in gatherer.gather(namespace).values
    gatherer.settle()
    namespace["c"] = json
    assert not gatherer.gather(namespace).unchanged


def test_after_a_restore_only_what_is_said_to_be_the_same_is_unchanged() -> None:
    """Groups of plain values that a restore brought are told anew; those it left alone are not."""
    namespace: dict[str, Any] = {f"n{number}": 1 for number in range(300)}
    gatherer = Gatherer(Hubs())
    gatherer.gather(namespace)
    gatherer.settle()
    assert gatherer.gather(namespace).unchanged == {"a:0", "a:1", "a:2"}
    gatherer.distrust_all_but(["a:1"])
    assert gatherer.gather(namespace).unchanged == {"a:1"}
