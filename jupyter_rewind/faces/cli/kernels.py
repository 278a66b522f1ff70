"""Commands about running state: kernels, snapshots, resume, and the switch for all kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jupyter_rewind.errors import RestoreRefused, RewindError
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Answer, Column, Remark, Table, Words
from jupyter_rewind.faces.cli.command import Commands, Face, NotebookPath

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jupyter_rewind.model.entry import Json
    from jupyter_rewind.model.snapshot import Snapshot
    from jupyter_rewind.revival import Revival, RunState
    from jupyter_rewind.workspace import Workspace

commands = Commands("Kernels")

What = Annotated[
    str,
    typer.Argument(metavar="NOTEBOOK|KERNEL", help="A notebook's path, or a kernel's or run's id."),
]
StateRef = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="REF", help="A state: a cell's count, an id, a label, head~2, a time."
    ),
]

_RUN_COLUMNS = (
    Column("run", "yellow"),
    Column("kernel", "dim"),
    Column("state", "bold"),
    Column("started", "cyan"),
    Column("cells", right=True),
    Column("python"),
    Column("notebook", fold=True),
)
_SNAPSHOT_COLUMNS = (
    Column("id", "yellow"),
    Column("after", "bold"),
    Column("time", "cyan"),
    Column("variables", right=True),
    Column("not exact", right=True),
    Column("new", right=True),
    Column("run", "dim"),
    Column("labels", "bold green", fold=True),
)
_REPORT_COLUMNS = (
    Column("name", "bold"),
    Column("type"),
    Column("size", right=True),
    Column("kept"),
    Column("why", fold=True),
)


def open_revival(workspace: Workspace) -> Revival:
    """The states of the open store, as others have written them up to now."""
    from jupyter_rewind.revival import Revival

    workspace.repository.refresh()
    return Revival(workspace.repository, workspace.histories)


@commands.add("kernels")
def kernels(face: Face) -> Answer:
    """List the runs of kernels that the store knows of, the newest first."""
    from jupyter_rewind.revival import run_json

    with face.workspace() as workspace:
        found = open_revival(workspace).runs()
        asleep = _asleep(face, workspace, found)
    length = wording.SHORT_ID if face.screen.terminal else None
    rows = [
        (
            each.run.id[:length], each.run.kernel[:length], _state(each, asleep),
            wording.local_time(each.run.started_ns), str(each.executions), each.run.python,
            each.run.path,
        )
        for each in found
    ]  # fmt: skip
    data: list[Json] = [run_json(each) for each in found]
    table = Table(_RUN_COLUMNS, rows, empty="No kernel has kept anything in this store yet.")
    return Answer({"runs": data}, [table])


@commands.add("snapshots")
def snapshots(
    face: Face,
    what: What,
    at: StateRef = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Show only so many.")
    ] = None,
) -> Answer:
    """List the states of a notebook's or a kernel's variables, the newest first.

    With --at: how faithfully each variable of that state is kept.
    """
    from jupyter_rewind.revival import report_json, snapshot_json

    with face.workspace() as workspace:
        revival = open_revival(workspace)
        if at is not None:
            snapshot = revival.resolve(what, at)
            variables = revival.report(snapshot)
            rows = [
                (each.name, each.type_name, wording.size(each.size_bytes), str(each.fidelity),
                 each.reason or each.preview)
                for each in variables
            ]  # fmt: skip
            about = Remark(f"The state {_when(snapshot)}.")
            told: dict[str, Json] = {
                "snapshot": snapshot_json(snapshot),
                "report": report_json(variables),
            }
            return Answer(told, [Table(_REPORT_COLUMNS, rows, empty="No variables."), about])
        found = revival.snapshots(what)[::-1]
    shown = found[:limit]
    table = Table(
        _SNAPSHOT_COLUMNS,
        [_row(each, face.screen.terminal) for each in shown],
        empty=f"No state of {what} has been kept.",
    )
    hidden = len(found) - len(shown)
    more = [Remark(wording.hidden(hidden))] if hidden else []
    data: list[Json] = [snapshot_json(each) for each in shown]
    return Answer({"snapshots": data}, [table, *more])


@commands.add("resume")
def resume(
    face: Face,
    notebook: NotebookPath,
    at: StateRef = None,
    kernel: Annotated[
        str | None,
        typer.Option("--kernel", metavar="NAME", help="Another kernel than the notebook's own."),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Load a state that another key made: it can run any code."),
    ] = False,
) -> Answer:
    """Start a kernel with the last state of a notebook in it, and print its connection file.

    The kernel goes on when this command has ended: `jupyter console --existing FILE` talks to it.
    """
    with face.workspace() as workspace:
        revival = open_revival(workspace)
        snapshot = revival.resolve(notebook, at) if at else revival.last_state(notebook).snapshot
        started = revival.resume(notebook, snapshot, kernel_name=kernel, trust=trust)
    data: dict[str, Json] = {
        "connection_file": started.connection, "pid": started.pid, "kernel": started.name,
        **started.answer,
    }  # fmt: skip
    return Answer(data, [Words(started.connection), *_tell_moved(started.answer)])


@commands.add("enable")
def enable(face: Face) -> Answer:
    """Keep a journal and states of all your kernels whose environments have Rewind installed."""
    from jupyter_rewind.revival import enable_for_user
    from jupyter_rewind.workspace import unset_value

    path = enable_for_user()
    unset_value("kernels.enabled")
    return Answer(
        {"enabled": True, "file": str(path)},
        [Words("Kernels that start from now on keep their states."),
         Remark(f"{path} loads Rewind where it is installed.")],
    )  # fmt: skip


@commands.add("disable")
def disable(face: Face) -> Answer:
    """Keep nothing of any of your kernels. What was kept stays."""
    from jupyter_rewind.revival import disable_for_user
    from jupyter_rewind.workspace import set_value

    path = disable_for_user()
    set_value("kernels.enabled", "false")
    return Answer(
        {"enabled": False, "file": str(path)},
        [Words("Kernels that start from now on keep nothing."),
         Remark("What was kept stays; `jupyter rewind enable` turns it on again.")],
    )  # fmt: skip


def restore_both(face: Face, notebook: str, ref: str) -> Answer:
    """The notebook and the variables of its running kernel are as they were at a checkpoint; what
    is there now is kept first, in both."""
    from jupyter_rewind.faces.cli import views
    from jupyter_rewind.faces.cli.restored import restored_json, tell_restored
    from jupyter_rewind.workspace import check_writable, document_path

    with face.workspace() as workspace:
        revival = open_revival(workspace)
        checkpoint = workspace.resolve(notebook, ref)
        snapshot = revival.pair(str(document_path(notebook)), [checkpoint]).get(checkpoint.id)
        live = revival.live_run(notebook) if snapshot is not None else None
        if snapshot is None or live is None:
            missing = "no state was kept then" if snapshot is None else "no kernel of it is running"
            raise RestoreRefused(
                f"{notebook} was not brought back together with its variables: {missing}.",
                hint="Nothing was changed. Without --state the notebook alone comes back;"
                " `jupyter rewind resume` starts a kernel with a state.",
            )
        check_writable(document_path(notebook))
        answer = revival.ask(live, "to", {"ref": snapshot.id})
        try:
            done = workspace.restore(notebook, checkpoint.id)
        except BaseException as error:
            # A file that holds the old state goes with the variables of then.
            if not getattr(error, "is_done", False):
                _take_back(revival, live, error)
            raise
    data = {**restored_json(done), "state": answer}
    text = f"Restored {notebook} from {views.when(done.source)}, and its kernel {_when(snapshot)}."
    return Answer(data, [Words(text), *_tell_moved(answer), *tell_restored(done, notebook)])


def _take_back(revival: Revival, live: RunState, error: BaseException) -> None:
    """The variables are as before, since the notebook could not follow; the error says so, or what
    brings them."""
    try:
        revival.ask(live, "undo", {})
        words = "The variables are as they were."
    except Exception as fault:  # what led here is told, and not this
        words = (
            "The variables are those of that moment, and could not be taken back"
            f" ({getattr(fault, 'message', fault)}): `%rewind undo` in the notebook does it."
        )
    if isinstance(error, RewindError):
        error.hint = f"{error.hint} {words}".strip()


def _tell_moved(answer: Mapping[str, Json]) -> list[Remark]:
    """What a kernel says of the variables that came back; its own magics are not for a shell."""
    words = str(answer.get("words", "")).splitlines()
    return [Remark(line) for line in words if not line.startswith("`%rewind undo`")]


def _asleep(face: Face, workspace: Workspace, runs: Sequence[RunState]) -> frozenset[str]:
    """The runs whose kernels sleep in an image: of each, the last one."""
    from jupyter_rewind.faces.cli.images import open_images
    from jupyter_rewind.kernels.images.asleep import ASLEEP

    last = {each.run.kernel: each.run for each in reversed(runs)}
    ended = {kernel: run.id for kernel, run in last.items() if run.how == ASLEEP}
    kernels = open_images(face, workspace).asleep(ended) if ended else ()
    return frozenset(ended[each] for each in kernels)


def _state(state: RunState, asleep: frozenset[str]) -> str:
    if state.alive:
        return "running"
    if state.run.id in asleep:
        return "asleep"
    return "cut short" if state.was_cut_short else "ended"


def _when(snapshot: Snapshot) -> str:
    after = f"after {snapshot.place}" if snapshot.count else f"kept {snapshot.place}"
    return f"{after} ({wording.local_time(snapshot.time_ns)})"


def _row(snapshot: Snapshot, terminal: bool) -> tuple[str, ...]:
    counts = snapshot.counts
    length = wording.SHORT_ID if terminal else None
    size = wording.size if terminal else str
    inexact = counts.rebuilt + counts.missing
    return (
        snapshot.id[:length],
        snapshot.place,
        wording.local_time(snapshot.time_ns),
        str(counts.variables),
        str(inexact) if inexact else "",
        size(snapshot.new_bytes),
        snapshot.run[:length],
        ", ".join(snapshot.labels),
    )
