"""Going back in a real kernel, as a user does it: with `%rewind`, and from Python."""

from __future__ import annotations

import pytest

from jupyter_rewind.kernels.archive import Archive
from tests.support.kernels import Home, eventually, running


@pytest.mark.matrix
def test_the_variables_are_as_they_were_after_a_cell(home: Home) -> None:
    """`%rewind to 2` brings back changed and deleted variables, and takes away newer ones."""
    with running(home) as kernel:
        kernel.run("numbers = [1, 2, 3]")
        kernel.run("text = 'before'")
        kernel.run("numbers.append(4); text = 'after'; new = 1")
        kernel.run("del text")
        said = kernel.run("%rewind to 2")
        assert said.status == "ok", said
        assert "Back to the state after In[2]" in said.text
        assert kernel.run("numbers, text, 'new' in globals()").result == (
            "([1, 2, 3], 'before', False)"
        )


@pytest.mark.matrix
def test_a_move_can_be_undone_and_made_again(home: Home) -> None:
    """`%rewind undo` brings back what was before, unsaved changes of that very cell included."""
    with running(home) as kernel:
        kernel.run("x = 1")
        kernel.run("x = 2")
        kernel.run("x = 3; get_ipython().run_line_magic('rewind', 'to 1')")
        assert kernel.run("x").result == "1"
        assert kernel.run("%rewind undo").status == "ok"
        assert kernel.run("x").result == "3"
        assert kernel.run("%rewind redo").status == "ok"
        assert kernel.run("x").result == "1"
        refused = kernel.run("%rewind redo")
        assert refused.status == "error"
        assert "no move to make again" in refused.error


def test_names_that_the_state_did_not_have_are_told(home: Home) -> None:
    """A move names what it takes away; taking it back names nothing, for nothing goes."""
    with running(home) as kernel:
        kernel.run("x = 1")
        kernel.run("y = z = 2")
        said = kernel.run("%rewind to 1").text
        assert "2 removed" in said
        assert "  y, z were not there then." in said
        assert "removed" not in kernel.run("%rewind undo").text
        assert kernel.run("y, z").result == "(2, 2)"


def test_what_the_user_holds_stays_the_same_object(home: Home) -> None:
    """A function that holds a list sees the restored content: identity is kept."""
    with running(home) as kernel:
        kernel.run("shared = [1]\ndef read(held=shared): return list(held)")
        kernel.run("shared.append(2)")
        kernel.run("%rewind to 1")
        assert kernel.run("read(), read.__defaults__[0] is shared").result == "([1], True)"


def test_history_shows_lines_and_labels(home: Home) -> None:
    """The history names each state's cell, the labels, and where a line left another one."""
    with running(home) as kernel:
        kernel.run("x = 1")
        kernel.run("x = 2")
        assert kernel.run("%rewind label before tuning --at 1").status == "ok"
        kernel.run("%rewind to before tuning")
        kernel.run("x = 10")
        history = kernel.run("%rewind history").text
        assert '"before tuning"' in history
        assert "x = 10" in history
        assert "from In[1]" in history
        lines = kernel.run("%rewind branch").text
        assert lines.count(", until ") == 2
        assert kernel.run("%rewind to 2").status == "ok"
        assert kernel.run("x").result == "2"


def test_differences_between_states(home: Home) -> None:
    """`%rewind diff` names added, changed and removed variables with their previews."""
    with running(home) as kernel:
        kernel.run("kept = list(range(100)); gone = 1; changed = [1]")
        kernel.run("del gone; changed.append(2); added = 'new'")
        for line in ("%rewind diff 1 2", "%rewind diff 1"):
            said = kernel.run(line)
            rows = {row.split()[1]: row.split()[0] for row in said.text.splitlines()[2:]}
            assert rows == {"added": "+", "changed": "~", "gone": "-"}, said


def test_one_variable_out_of_the_past(home: Home) -> None:
    """`%rewind get x --at 1 --as old` leaves everything else as it is."""
    with running(home) as kernel:
        kernel.run("x = [1]; y = 1")
        kernel.run("x = [2]; y = 2")
        assert kernel.run("%rewind get x --at 1 --as old").status == "ok"
        assert kernel.run("x, y, old").result == "([2], 2, [1])"
        missing = kernel.run("%rewind get nothing --at 1")
        assert "no variable nothing" in missing.error


def test_what_a_variable_out_of_the_past_replaces_is_kept(home: Home) -> None:
    """Even where states are switched off, what had its name comes back by undo."""
    with running(home) as kernel:
        kernel.run("x = [1]; other = 0")
        kernel.run("%rewind off")
        kernel.run("x = ['an hour of work']; other = 2")
        said = kernel.run("%rewind get x --at 1")
        assert "`%rewind undo` takes this back." in said.text
        assert kernel.run("x, other").result == "([1], 2)"
        assert kernel.run("%rewind undo").status == "ok"
        assert kernel.run("x, other").result == "(['an hour of work'], 2)"
        assert kernel.run("%rewind redo").status == "ok"
        assert kernel.run("x, other").result == "([1], 2)"
        said = kernel.run("%rewind get x --at 1 --as fresh")
        assert "undo" not in said.text


def test_the_report_says_what_cannot_be_kept(home: Home) -> None:
    """A generator is told of, with the reason; the rest is exact."""
    with running(home) as kernel:
        kernel.run("plain = {'a': 1}\nstream = (n for n in range(3))")
        rows = {row.split()[0]: row for row in kernel.run("%rewind report").text.splitlines()[2:]}
        assert "exact" in rows["plain"]
        assert "exact" not in rows["stream"]
        assert "generator" in rows["stream"]


def test_words_that_make_no_sense_change_nothing(home: Home) -> None:
    """A mistake is one line that says what to do; the variables stay."""
    with running(home) as kernel:
        kernel.run("x = 1")
        for line, words in (
            ("%rewind to", "where to go"),
            ("%rewind to 99", "no state after In[99]"),
            ("%rewind to nowhere", "No snapshot is meant"),
            ("%rewind fly", "no `%rewind fly`"),
            ("%rewind get x", "--at"),
            ("%rewind undo now", "at most 0"),
            ("%rewind to 1 --fast", "--fast"),
        ):
            said = kernel.run(line)
            assert said.status == "error", line
            assert words in said.error, said.error
        assert "%rewind undo" in kernel.run("%rewind").text
        assert kernel.run("x").result == "1"


def test_states_can_be_switched_off_and_variables_left_out(home: Home) -> None:
    """While it is off no state is kept; a variable left out is neither kept nor touched."""
    with running(home) as kernel:
        kernel.run("x = 1; secret = 'one'")
        kernel.run("%rewind exclude secret")
        kernel.run("x = 2; secret = 'two'")
        kernel.run("%rewind off")
        kernel.run("x = 3")
        assert kernel.run("%rewind to 5").status == "error"
        kernel.run("%rewind on")
        kernel.run("%rewind to 3")
        assert kernel.run("x, secret").result == "(2, 'two')"
        kernel.run("secret = 'three'")
        kernel.run("%rewind to 3")
        assert kernel.run("x, secret").result == "(2, 'three')"


def test_the_same_verbs_from_python(home: Home) -> None:
    """`from jupyter_rewind import kernel` has what the magic has."""
    with running(home) as kernel:
        kernel.run("from jupyter_rewind import kernel\nx = 1")
        kernel.run("x = 2")
        said = kernel.run("back = kernel.to(1)\nback")
        assert "Back to the state after In[1]" in said.result
        assert kernel.run("x, back.snapshot.count").result == "(1, 1)"
        assert kernel.run("kernel.undo() and x").result == "2"
        refused = kernel.run("try: kernel.to(77)\nexcept LookupError as e: print(e.code)")
        assert refused.text == "not_found\n"


@pytest.mark.matrix
@pytest.mark.parametrize("cell", ["1 / 0", "raise KeyboardInterrupt", "x = 1; raise ValueError"])
def test_a_state_is_kept_after_a_cell_that_failed(home: Home, cell: str) -> None:
    """What a cell did before its error counts."""
    with running(home) as kernel:
        kernel.run("x = 0")
        kernel.run(cell)
        kernel.run("x = 5")
        kernel.run("%rewind to 2")
        assert kernel.run("x").result == ("1" if "x = 1" in cell else "0")


@pytest.mark.matrix
def test_the_next_kernel_offers_what_a_killed_one_left(home: Home) -> None:
    """After kill -9, the new kernel of the notebook says what is kept, and brings it back."""
    with running(home) as kernel:
        kernel.run("data = {'a': [1, 2]}; twin = data['a']")
        kernel.run("def total(): return sum(data['a'])")
        kernel.kill()
    with running(home) as kernel:
        # After the first cell; on a machine that is busy, after a later one.
        offered = eventually(lambda: kernel.run("1").text.removeprefix("1"), "it is offered")
        assert "%rewind resume" in offered
        assert "In[2]" in offered
        assert "%rewind resume" not in kernel.run("2").text
        said = kernel.run("%rewind resume")
        assert said.status == "ok", said
        assert kernel.run("twin.append(3); total(), data").result == "(6, {'a': [1, 2, 3]})"


def test_nothing_is_offered_after_an_orderly_end(home: Home) -> None:
    """A kernel that was shut down is not taken for a crash; its state can be had all the same."""
    with running(home) as kernel:
        kernel.run("x = 41")
    with running(home) as kernel:
        assert kernel.run("0").text == "0"
        assert kernel.run("%rewind resume").status == "ok"
        assert kernel.run("x + 1").result == "42"


def test_a_state_is_taken_over_without_asking_where_the_user_wants_that(home: Home) -> None:
    """`kernels.resume = always`: the first cell finds the variables of the killed kernel."""
    with running(home) as kernel:
        kernel.run("x = 41")
        kernel.kill()
    with running(home, JUPYTER_REWIND_KERNELS_RESUME="always") as kernel:
        first = kernel.run("x + 1")
        assert first.result == "42"
        assert "goes on here" in first.text


def test_nothing_is_said_where_the_user_does_not_want_that(home: Home) -> None:
    """`kernels.resume = never`: no word, no variable of the killed kernel, until asked for."""
    with running(home) as kernel:
        kernel.run("x = 41")
        kernel.kill()
    with running(home, JUPYTER_REWIND_KERNELS_RESUME="never") as kernel:
        assert kernel.run("'x' in globals()").text == "False"
        assert kernel.run("%rewind resume").status == "ok"
        assert kernel.run("x").result == "41"


@pytest.mark.matrix
def test_what_a_widgets_callback_changed_is_kept(home: Home) -> None:
    """A message of the front end runs the user's code between two cells: its changes count."""
    with running(home) as kernel:
        kernel.run(
            "from comm import get_comm_manager\nseen = []\n"
            "def opened(comm, message):\n"
            "    comm.on_msg(lambda message: seen.append(message['content']['data']))\n"
            "get_comm_manager().register_target('test', opened)"
        )
        client = kernel.client
        for kind, content in (
            ("comm_open", {"comm_id": "c1", "target_name": "test", "data": {}}),
            ("comm_msg", {"comm_id": "c1", "data": 5}),
        ):
            client.shell_channel.send(client.session.msg(kind, content))
        kernel.run("other = 1")
        kernel.run("seen.clear()")
        kernel.run("%rewind to 2")
        assert kernel.run("seen").result == "[5]"


def test_surroundings_come_back_too(home: Home) -> None:
    """The working folder, the environment's variables and the random generator are as they were."""
    with running(home) as kernel:
        kernel.run("import os, random; random.seed(1); os.environ['COLOUR'] = 'red'")
        first = kernel.run("random.random(), os.getcwd(), os.environ['COLOUR']").result
        kernel.run("os.chdir('/'); os.environ['COLOUR'] = 'blue'; random.seed(5)")
        kernel.run("%rewind to 1")
        assert kernel.run("random.random(), os.getcwd(), os.environ['COLOUR']").result == first


def test_unloading_leaves_the_shell_as_it_was(home: Home) -> None:
    """After `%unload_ext` nothing is kept any more, and the kernel works as before."""
    with running(home) as kernel:
        kernel.run("x = 1")
        assert kernel.run("%unload_ext jupyter_rewind").status == "ok"
        assert kernel.run("print(x)").text == "1\n"
        assert kernel.run("%rewind status").status == "error"
    assert [each.source for each in home.executions()][:1] == ["x = 1"]
    assert "print(x)" not in [each.source for each in home.executions()]


def test_where_rewind_is_off_python_code_is_told_how_to_turn_it_on(home: Home) -> None:
    """Where Rewind is off, the API says how to turn it on."""
    off = {"JUPYTER_REWIND_KERNELS_ENABLED": "false"}
    with running(home, **off) as kernel:
        said = kernel.run("from jupyter_rewind import kernel\nkernel.status()")
        assert said.status == "error"
        assert "%load_ext jupyter_rewind" in said.error


def test_a_state_passed_over_for_want_of_time_is_kept_in_the_next_pause(home: Home) -> None:
    """Cells in a row may share a state; when the kernel is idle, the last one gets its own."""
    limits = {
        "JUPYTER_REWIND_KERNELS_BUDGET_FLOOR_MS": "0",
        "JUPYTER_REWIND_KERNELS_BUDGET_PERCENT": "0",
    }
    with running(home, **limits) as kernel:
        kernel.run("many = [{'n': n} for n in range(50_000)]")
        kernel.run("x = 1")
        kernel.run("x = 2")

        def kept() -> list[int]:
            with home.repository() as repository:
                archive = Archive(repository)
                (run,) = archive.runs.all()
                return [each.count for each in archive.snapshots(run.id)]

        eventually(lambda: 3 in kept(), "the pause was used")
        kernel.kill()
    with running(home) as kernel:
        kernel.run("%rewind resume")
        assert kernel.run("x, len(many)").result == "(2, 50000)"


def test_what_ipython_puts_beside_the_variables_is_none_of_them(home: Home) -> None:
    """IPython's own `open` is not the user's; one that the user writes is."""
    with running(home) as kernel:
        kernel.run("x = 1")
        assert "open" not in kernel.run("%rewind report").text
        kernel.run("def open(): return 5")
        kernel.run("open = None")
        kernel.run("%rewind to 3")
        assert kernel.run("open()").result == "5"
