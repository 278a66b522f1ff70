"""The command as a whole: its help, its options, how it fails, how it starts."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_rewind.faces.cli import app, statuses
from tests.faces.cli.conftest import COMMAND, Rewind

COMMANDS = [
    *("history", "show", "diff", "search", "deleted", "checkpoint", "restore", "undelete"),
    *("label", "unlabel", "pin", "unpin", "serve", "watch", "verify", "salvage", "expire"),
    *("collect", "stats", "replica", "pull", "key", "catalogue", "export", "import", "config"),
    *("doctor", "kernels", "snapshots", "resume", "enable", "disable", "image"),
    *("recover", "traces", "sessions", "grep"),
]


def test_help_lists_commands_and_statuses(rewind: Rewind) -> None:
    """`--help` tells every command and what every exit status means."""
    ended = rewind("--help")
    assert ended.status == 0
    listed = {line.split()[0] for line in ended.out.splitlines() if line.startswith("  ")}
    assert set(COMMANDS) <= listed
    for row in statuses.TABLE:
        assert f"{row.status.value}  {row.meaning}" in ended.out


def test_help_cuts_no_sentence_short(rewind: Rewind) -> None:
    """What a command does is said to the end, and a word that may be repeated has one `...`."""
    assert "..." not in rewind("--help").out.partition("Commands:")[2]
    for name, word in (("watch", "PATH"), ("import", "SOURCE")):
        usage = rewind(name, "--help").out.splitlines()[0]
        assert usage.count("...") == 1
        assert word in usage.split()[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str, rewind: Rewind) -> None:
    """Every command explains itself and takes the shared options."""
    ended = rewind(name, "--help")
    assert ended.status == 0
    assert f"jupyter rewind {name}" in ended.out
    for option in ("--json", "--store", "--set", "--no-color"):
        assert option in ended.out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["history", ""], "NOTEBOOK"),
        (["checkpoint", ""], "NOTEBOOK"),
        (["checkpoint", "a.ipynb", "--label", ""], "TEXT"),
        (["show", ""], "NOTEBOOK"),
        (["show", "a.ipynb", ""], "REF"),
        (["diff", ""], "NOTEBOOK"),
        (["search", "", "x"], "NOTEBOOK"),
        (["search", "a.ipynb", ""], "TEXT"),
        (["restore", "", "head"], "NOTEBOOK"),
        (["restore", "a.ipynb", "head", "--output", ""], "PATH"),
        (["undelete", ""], "NOTEBOOK"),
        (["label", "", "head", "x"], "NOTEBOOK"),
        (["unlabel", "", "head", "x"], "NOTEBOOK"),
        (["pin", ""], "NOTEBOOK"),
        (["unpin", ""], "NOTEBOOK"),
        (["watch", "a.ipynb", ""], "PATH"),
        (["export", "", "out"], "NOTEBOOK"),
        (["export", "a.ipynb", ""], "DIR"),
        (["export", "a.ipynb", "--git", ""], "REPO"),
        (["import", "", "out"], "NOTEBOOK"),
        (["import", "a.ipynb", ""], "SOURCE"),
        (["snapshots", ""], "NOTEBOOK|KERNEL"),
        (["resume", ""], "NOTEBOOK"),
        (["recover", ""], "NOTEBOOK"),
        (["traces", ""], "NOTEBOOK"),
    ],
)
def test_an_empty_word_is_wrong_usage(words: list[str], what: str, rewind: Rewind) -> None:
    """A variable of the shell that is not set does not mean the folder that you stand in."""
    ended = rewind(*words)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith(f"Error: {what} is empty. Nothing was changed.")


def test_version(rewind: Rewind) -> None:
    """`--version` names the program and its version."""
    assert rewind("--version").out.startswith("jupyter-rewind 0.")


@pytest.mark.parametrize(
    "words", [["histori"], ["history"], ["history", "a", "--nonsense"], ["history", "a", "-n", "x"]]
)
def test_wrong_words_end_with_2(words: list[str], rewind: Rewind) -> None:
    """What makes no sense is told in one line, without a traceback."""
    ended = rewind(*words)
    assert ended.status == 2
    assert ended.out == ""
    assert "Error: " in ended.err
    assert "Traceback" not in ended.err
    document = json.loads(rewind(*words, "--json").err)
    assert (document["status"], document["error"]["code"]) == (2, "invalid_input")


@pytest.mark.parametrize("name", ["history", "show", "diff", "restore", "undelete", "pin"])
def test_an_unknown_notebook_ends_with_3(name: str, book: Path, rewind: Rewind) -> None:
    """A notebook without a history is not found, and the words say so."""
    words = [name, "nothing.ipynb", *(["head"] if name == "restore" else [])]
    ended = rewind(*words)
    assert (ended.status, ended.out) == (3, "")
    assert "nothing.ipynb" in ended.err
    document = json.loads(rewind(*words, "--json").err)
    assert set(document) == {"schema", "command", "status", "error"}
    assert document["error"]["code"] == "not_found"


def test_looking_makes_no_store(home: Path, rewind: Rewind) -> None:
    """A command that only looks leaves an empty home empty."""
    for words in (["history", "a.ipynb"], ["deleted"], ["stats"], ["verify"], ["expire"]):
        assert rewind(*words).status == 3
    rewind("doctor")
    rewind("config")
    assert [each.name for each in home.iterdir()] == ["work"]


def test_shared_options_work_before_and_after(home: Path, book: Path, rewind: Rewind) -> None:
    """`--json` and `--store` may stand on either side of the command."""
    before = rewind("--json", "--store", home / "data/rewind", "history", book)
    after = rewind("history", book, "--json", "--store", home / "data/rewind")
    assert before.data == after.data
    assert rewind("history", book, "--store", home / "elsewhere").status == 3
    assert rewind("--set", "store.path", "history", book).status == 2
    assert rewind("--set", f"store.path={home / 'elsewhere'}", "history", book).status == 3


def test_a_bug_of_ours_is_apologised_for(
    home: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault ends with 1 and a short apology; the details lie in a file, or come with --debug."""
    monkeypatch.setattr("jupyter_rewind.settings.describe", lambda _: 1 / 0)
    ended = rewind("config")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("Error: Sorry, this is a fault of Jupyter Rewind itself")
    assert "Traceback" not in ended.err
    [log] = (home / "data" / "rewind-faults").iterdir()
    assert str(log) in ended.err.replace("\n", "")
    assert "ZeroDivisionError" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert "ZeroDivisionError" in rewind("--debug", "config").err
    assert json.loads(rewind("config", "--json").err)["error"]["code"] == "internal"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_to_a_full_disk_ends_with_6(home: Path) -> None:
    """An answer that could not be written was not given."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "config"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 6
    assert b"No space left" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_closed_pipe_is_quiet(book: Path) -> None:
    """`| head` ends the command without a word."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "history", str(book)], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_failure_whose_words_nobody_reads_leaves_its_status(book: Path) -> None:
    """`2>&1 | head` of a command that fails: a script still learns what failed."""
    read, write = os.pipe()
    os.close(read)
    words = [*COMMAND, "history", str(book.with_name("none.ipynb"))]
    done = subprocess.run(words, stdout=write, stderr=write, check=False)
    os.close(write)
    assert done.returncode == 3


def test_the_program_is_a_jupyter_command(book: Path) -> None:
    """`jupyter rewind` and `jupyter-rewind` are the same."""
    folder = Path(sys.executable).parent
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    for words in (["jupyter-rewind"], ["jupyter", "rewind"]):
        done = subprocess.run(
            [str(folder / words[0]), *words[1:], "history", str(book)],
            capture_output=True,
            env=os.environ | {"PATH": path},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("shell", "word"),
    [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --command")],
)
def test_completion_goes_by_the_name_of_the_program(shell: str, word: str, process: Rewind) -> None:
    """The shell that is named, whichever this was begun from, is taught a program that exists."""
    ended = process("--show-completion", shell)
    assert ended.status == 0
    assert word in ended.out
    assert "_JUPYTER_REWIND_COMPLETE" in ended.out
    assert "jupyter rewind" not in ended.out


def test_completion_offers_commands_refs_and_keys(book: Path, process: Rewind) -> None:
    """Tab knows commands, labels, ids and settings."""
    assert process("label", book, "head", "good one").status == 0

    def offered(*words: str) -> list[str]:
        env = os.environ | {
            "_JUPYTER_REWIND_COMPLETE": "complete_bash",
            "COMP_WORDS": "\n".join(["jupyter-rewind", *words]),
            "COMP_CWORD": str(len(words)),
        }
        return process(env=env).out.splitlines()

    assert offered("un") == ["undelete", "unlabel", "unpin"]
    assert "store.path" in offered("config", "get", "store.")
    refs = offered("show", str(book), "")
    assert "good\\ one" in refs
    assert len(refs) == 5
    assert "".join(offered("show", "nothing.ipynb", "")) == ""


def test_completion_speaks_so_that_each_shell_understands(home: Path, process: Rewind) -> None:
    """What is told of the settings stands on one line each, without quotes: zsh, for one, offers
    nothing at all where it meets them."""
    env = os.environ | {
        "_JUPYTER_REWIND_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "jupyter-rewind config get ",
        "COLUMNS": "400",
    }
    said = process(env=env).out
    offered = said.removeprefix("_arguments '*: :((").strip().removesuffix("))'").splitlines()
    assert len(offered) > 20
    for row in offered:
        assert re.fullmatch(r'"[a-z_.]+":"[^"\'`]+"', row), row


def test_completion_offers_no_name_that_the_shell_would_change(book: Path, process: Rewind) -> None:
    """zsh would put `its` there for `it's`, which names nothing: the id is offered alone."""
    assert process("label", book, "head", "it's").status == 0
    env = os.environ | {
        "_JUPYTER_REWIND_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": f"jupyter-rewind show {book} ",
    }
    said = process(env=env).out
    assert '"head":' in said
    assert '"its' not in said
    assert "\"it'" not in said


def test_starting_imports_nothing_heavy(home: Path) -> None:
    """A quick command stays quick: what only some commands need is imported by them."""
    code = (
        "import sys; from jupyter_rewind.faces.cli import app; app.build();"
        "print(*[m for m in ('rich.console','nbdime','nbformat','sqlite3','watchfiles',"
        "'jupyter_server','tornado','traitlets','pydantic','jupyter_rewind.workspace')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_reference_page_is_up_to_date() -> None:
    """The docs say what the command says."""
    page = Path(__file__).parents[3] / "docs" / "cli_reference.py"
    done = subprocess.run([sys.executable, str(page), "--check"], check=False)
    assert done.returncode == 0, "run: python docs/cli_reference.py"


def test_every_command_is_registered_once() -> None:
    """No command hides another."""
    names = [each.name for each in app.build().registered_commands]
    assert sorted(names) == sorted(COMMANDS)


def test_closed_outputs_are_no_fault(home: Path) -> None:
    """`jupyter rewind deleted >&- 2>&-` ends as it would otherwise."""
    words = shlex.join([*COMMAND, "deleted"])
    plain = subprocess.run(["sh", "-c", words], capture_output=True, check=False)
    closed = subprocess.run(["sh", "-c", f"{words} >&- 2>&-"], check=False)
    assert closed.returncode == plain.returncode


def test_a_folder_that_is_gone_is_said_so(home: Path, rewind: Rewind) -> None:
    Path("a.txt").write_text("text")
    assert rewind("checkpoint", "a.txt").status == 0
    folder = home / "gone"
    folder.mkdir()
    words = f"cd {shlex.quote(str(folder))} && rmdir {shlex.quote(str(folder))} && "
    words += shlex.join([*COMMAND, "history", "a.ipynb"])
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "does not exist any more" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no users without a home")
def test_a_user_without_a_home_is_told_what_to_set(
    rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs as a number: no traceback, and what to do."""
    import pwd

    def unknown(_: int) -> None:
        raise KeyError("no such user")

    for name in [name for name in os.environ if name == "HOME" or name.startswith("JUPYTER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    ended = rewind("checkpoint", "a.ipynb")
    assert ended.status == 6
    assert "Traceback" not in ended.err
    assert "HOME" in ended.err


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a program by other means than SIGINT")
def test_ctrl_c_while_it_starts_is_told_in_words(home: Path, tmp_path: Path) -> None:
    """Whoever interrupts the program before it has begun sees no traceback."""
    # The interrupt comes while the first of the libraries is imported.
    early = tmp_path / "early"
    early.mkdir()
    # A program begun in the background ignores interrupts: this one is begun from a terminal.
    (early / "typer.py").write_text(
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_rewind.faces.cli.start", "deleted"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(early), os.environ["PYTHONPATH"]])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")
