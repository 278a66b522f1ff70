"""Whatever cells do: what is said to be untouched has not changed."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.kernels.closure import find_opening
from tests.kernels.test_tracking import WAYS, Notebook, touches

pytestmark = pytest.mark.matrix


STATEMENTS = st.sampled_from(
    [
        "{v}.append(1)",
        "{v} = [{w}]",
        "{v} = []",
        "def {f}(): {v}.append(2)",
        "def {f}(): {g}()",
        "def {f}(n=1):\n    yield {v}.append(n)\n    yield {g}",
        "{f} = lambda: {v}.append(3)",
        "{f}()",
        "hooks.append({f})",
        "hooks.clear()",
        "for hook in hooks: hook()",
        "{v} = {f}()",
        "next({v})",
        "{v} = list({w})",
        "{v} = [{w}, {w}]",
        "{v} = ({w}.append(n) for n in range(3))",
        "class {f}:\n    def __init__(self): {v}.append(4)",
        "{f} = {g}",
        "del {f}",
        "del {v}",
        "globals()['{v}'].append(5)",
        "exec('def {f}(): {v}.append(6)')",
        "{v}[0].append(7)",
        "{v} = [item for item in {w}]",
        "import functools; {f} = functools.partial({g})",
    ]
)
CELLS = st.lists(
    st.tuples(
        STATEMENTS, st.sampled_from("abc"), st.sampled_from("abc"),
        st.sampled_from("fgh"), st.sampled_from("fgh"),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


def _content(value: Any, depth: int = 6) -> Any:
    """What can be seen of a value, without running it."""
    if type(value) is list and depth:
        return [_content(part, depth - 1) for part in value]
    return id(value)


def _closed_names(namespace: dict[str, Any]) -> list[str]:
    return [name for name in "abc" if name in namespace and not find_opening([(namespace, name)])]


@pytest.mark.parametrize("monitor", WAYS)
@settings(deadline=None)
@given(cells=st.lists(CELLS, min_size=2, max_size=7))
def test_a_closed_variable_that_was_not_touched_is_as_before(
    monitor: bool, cells: list[list[tuple[str, str, str, str, str]]]
) -> None:
    """Random notebooks: whatever a cell does, what is said to be untouched has not changed."""
    notebook = Notebook(monitor)
    try:
        notebook.run("a, b, c, hooks = [], [], [], []\ndef f(): pass\ndef g(): pass\nh = g")
        for statements in cells:
            source = "\n".join(form.format(v=v, w=w, f=f, g=g) for form, v, w, f, g in statements)
            names = _closed_names(notebook.namespace)
            before = {name: _content(notebook.namespace[name]) for name in names}
            held = {name: id(notebook.namespace[name]) for name in names}
            notebook.tracker.begin(source, notebook.namespace)
            try:
                exec(compile(source, "<cell>", "exec", dont_inherit=True), notebook.namespace)
            except Exception:
                # Cells fail as they do in notebooks; what they did before counts.
                sys.exc_info()
            touched = notebook.tracker.end()
            for name in names:
                if touches(touched, name):
                    continue
                assert id(notebook.namespace[name]) == held[name]
                assert _content(notebook.namespace[name]) == before[name], (source, name)
    finally:
        notebook.tracker.close()
