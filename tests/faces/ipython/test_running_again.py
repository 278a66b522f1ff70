"""`%rewind to REF --rerun`: cells run again only when asked to, and make what is missing alone."""

from __future__ import annotations

from typing import Any

from tests.support.kernels import Home, running


def test_cells_are_run_again_only_when_asked_to(home: Home) -> None:
    """`--rerun` shows its plan, and without an answer nothing runs."""
    with running(home) as kernel:
        kernel.run("import pathlib; runs = pathlib.Path('runs')")
        kernel.run("n = runs.open('a').write('x'); stream = (n for n in range(3))")
        kernel.run("stream = None")
        asked = kernel.run("%rewind to 2 --rerun", allow_stdin=False)
        assert asked.status == "error"
        assert "In[2]" in asked.error
        assert "writes files" in asked.error
        assert kernel.run("stream is None").result == "True"
        assert kernel.run("%rewind to 2 --rerun --yes").status == "ok"
        assert kernel.run("next(stream), runs.read_text()").result == "(0, 'xx')"


def test_cells_that_run_again_make_what_is_missing_and_nothing_else(home: Home) -> None:
    """What else they set or change is as the state has it, and one undo takes back all of it."""
    with running(home) as kernel:
        kernel.run("kept = [1]; twin = kept")
        kernel.run("calls = []; stream = (n for n in range(3)); kept = [7]; twin.append(0)")
        kernel.run("kept.append(2); calls.append(1)")
        kernel.run("del stream; kept = 'present'")
        said = kernel.run("%rewind to 3 --rerun --yes")
        assert said.status == "ok", said.error
        assert "They made stream; all else is as it was." in said.text
        assert kernel.run("kept, twin, calls").result == "([7, 2], [1, 0], [1])"
        assert kernel.run("list(stream)").result == "[0, 1, 2]"
        assert kernel.run("%rewind undo").status == "ok"
        assert kernel.run("kept, 'stream' in globals()").result == "('present', False)"


def test_what_is_made_again_is_made_in_its_own_time_and_by_all_that_name_it(home: Home) -> None:
    """Its maker finds the variables that it found, and later cells that name it follow; what is
    alive is not made at all."""
    with running(home) as kernel:
        kernel.run("n = 3; import sqlite3; alive = sqlite3.connect(':memory:')")
        kernel.run("con = sqlite3.connect(':memory:'); con.execute(f'create table t{n}(a)'); 0")
        kernel.run("def add(value): con.execute('insert into t3 values(?)', [value])")
        kernel.run("n = 10; alive.execute('create table u(a)'); 0")
        kernel.run("add(n)")
        kernel.run("con.close(); del con; n = 11")
        said = kernel.run("%rewind to 5 --rerun --yes")
        assert said.status == "ok", said.error
        assert "They made con; all else" in said.text and "In[2]" not in said.text
        assert kernel.run("con.execute('select * from t3').fetchall(), n").result == "([(10,)], 10)"
        assert kernel.run("alive.execute('select * from u').fetchall()").result == "[]"
        assert kernel.run("%rewind undo").status == "ok"
        assert kernel.run("n, 'con' in globals()").result == "(11, False)"


def test_a_cell_that_failed_the_first_time_may_fail_again(home: Home) -> None:
    """On the way to a state that was not kept, a cell that ended with an error does so again, and
    the next ones follow."""
    with running(home) as kernel:
        kernel.run("x = 1")
        kernel.run("%rewind off")
        kernel.run("x += 1; raise ValueError('as always')")
        kernel.run("x += 10")
        kernel.run("%rewind on")
        assert kernel.run("%rewind to 4 --rerun --yes").status == "ok"
        assert kernel.run("x").result == "12"


def test_the_notebook_asks_before_cells_are_run_again(home: Home) -> None:
    """The front end shows the plan as a question; only yes runs the cells."""
    with running(home) as kernel:
        questions: list[str] = []

        def answer(words: str) -> dict[str, Any]:
            def reply(message: dict[str, Any]) -> None:
                questions.append(message["content"]["prompt"])
                kernel.client.input(words)

            return {"allow_stdin": True, "stdin_hook": reply}

        kernel.run("import pathlib; runs = pathlib.Path('runs')")
        kernel.run("n = runs.open('a').write('x'); stream = (n for n in range(3))")
        kernel.run("del stream")
        refused = kernel.run("%rewind to 2 --rerun", **answer("n"))
        assert refused.status == "error" and "No cell was run" in refused.error
        assert kernel.run("'stream' in globals()").result == "False"
        assert kernel.run("%rewind to 2 --rerun", **answer("y")).status == "ok"
        assert kernel.run("next(stream), runs.read_text()").result == "(0, 'xx')"
        assert len(questions) == 2 and "stream = (n for n in" in questions[0]


def test_a_cell_that_awaits_is_not_begun(home: Home) -> None:
    """No other cell can run it, so nothing is moved either; the words say which and what to do."""
    with running(home) as kernel:
        kernel.run("import asyncio; n = 1")
        kernel.run("await asyncio.sleep(0); stream = (n for n in range(3))")
        kernel.run("del stream; n = 2")
        refused = kernel.run("%rewind to 2 --rerun --yes")
        assert refused.status == "error"
        assert "In[2] cannot be run again" in refused.error and "`await`" in refused.error
        assert kernel.run("n").result == "2"
        assert kernel.run("%rewind undo").status == "error"
