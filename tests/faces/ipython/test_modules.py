"""Modules of the user's own beside the notebook, in real kernels."""

from __future__ import annotations

import pytest

from tests.support.kernels import Home, running

pytestmark = pytest.mark.matrix
HELPERS = """
import os, threading, time
CACHE = {}
SEEN = []
def remember(key, value): CACHE[key] = value
def work():
    while len(SEEN) < 10_000:
        is_awaited = os.path.exists("more")
        SEEN.append(len(SEEN))
        if is_awaited:
            os.remove("more")
        time.sleep(0.01)
def start(): threading.Thread(target=work, daemon=True).start()
"""
# Until the thread has seen one more, without a word of the module.
WAIT = "open('more', 'w').close()\nwhile os.path.exists('more'): time.sleep(0.01)\n"
LOOK = "helpers.CACHE, helpers.CACHE is cache"


def test_what_cells_put_into_a_module_is_restored(home: Home) -> None:
    """`%rewind to` takes back what cells did to the variables of a module in my notebook's folder;
    after the kernel died, `%rewind resume` has them in a new one, after importing it again."""
    (home.notebook.parent / "helpers.py").write_text(HELPERS)
    with running(home) as kernel:
        kernel.run("import helpers; cache = helpers.CACHE; helpers.remember('a', [1])")
        kernel.run("helpers.CACHE['a'].append(2)")
        kernel.run("unrelated = 1")
        kernel.run("helpers.remember('b', 3)")
        assert kernel.run(LOOK).result == "({'a': [1, 2], 'b': 3}, True)"
        assert kernel.run("%rewind to 3").status == "ok"
        assert kernel.run(LOOK).result == "({'a': [1, 2]}, True)"
        assert kernel.run("%rewind to 1").status == "ok"
        assert kernel.run(LOOK).result == "({'a': [1]}, True)"
        assert kernel.run("%rewind undo").status == "ok"
        assert kernel.run(LOOK).result == "({'a': [1, 2]}, True)"
        kernel.run("helpers.remember('c', 4)")
        difference = kernel.run("%rewind diff 1").text
        assert "helpers.CACHE" in difference
        kernel.kill()
    with running(home) as kernel:
        said = kernel.run("%rewind resume")
        assert said.status == "ok", said
        assert kernel.run(LOOK).result == "({'a': [1, 2], 'c': 4}, True)"
        report = kernel.run("%rewind report").text
        assert "the module helpers, imported again; its variables are what" in report


def test_what_a_thread_of_a_module_does_is_kept(home: Home) -> None:
    """A thread in my module's code goes on between cells that do not name the module: each state
    has what it had done by then."""
    (home.notebook.parent / "helpers.py").write_text(HELPERS)
    with running(home) as kernel:
        kernel.run("import helpers, os, time; helpers.start()")
        kernel.run(f"{WAIT}first = 1")
        kernel.run("seen = len(helpers.SEEN)")
        kernel.run(f"{WAIT}second = 1")
        kernel.kill()
    with running(home) as kernel:
        assert kernel.run("%rewind resume").status == "ok"
        assert kernel.run("len(helpers.SEEN) > seen > 0").result == "True"
