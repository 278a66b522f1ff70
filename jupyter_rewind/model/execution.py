"""An execution: one run of one cell; a run: one kernel process. And how entries tell them.

A run is told by entries of kind `run`, an execution by entries of kind `execution`, each with a
`phase`. What is larger than a few kilobytes is content of its own, named by the entry's roots.

run        begin     run, kernel, connection, pid, host, boot, python, executable, path, started_ns
           path      run, path: the notebook has been renamed, or has only now become known
           end       run, finished_ns, how
execution  begin     run, execution, count, cell_id, path, started_ns, kept, source | chunks
           outputs   run, execution, outputs | chunks: what it put out since the entry before
           end       run, execution, status, finished_ns, error, folded, truncated,
                     outputs | chunks: all outputs where `folded`, else those not told before

Execution counts are labels and never keys. Nothing here reads or writes files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from jupyter_rewind.model.encoding import check_format, parse_json
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import Digest, ExecutionId, RunId

RUN = "run"
EXECUTION = "execution"
FORMAT = 1
BEGIN, OUTPUTS, END, PATH = "begin", "outputs", "end", "path"
Output: TypeAlias = Mapping[str, Json]
Read: TypeAlias = Callable[[Sequence[Digest]], bytes]
"""Gives the content that was cut into these digests."""


@dataclass(frozen=True, slots=True)
class Run:
    """One kernel process from its start to its end; `ended_ns` is None while nobody has said how
    it ended: it lives, or it was killed. `program` is what ran the notebook from beginning to end,
    as papermill does; empty where a person did."""

    id: RunId
    kernel: str
    connection: str
    pid: int
    host: str
    boot: str
    python: str
    executable: str
    path: str
    started_ns: int
    ended_ns: int | None = None
    how: str = ""
    program: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of one cell. `status` is "running" until its end is told; then "ok", "error",
    "interrupted". `kept` is False for what Jupyter keeps out of its own history."""

    id: ExecutionId
    run: RunId
    count: int
    cell_id: str | None
    path: str
    source: str
    started_ns: int
    kept: bool = True
    status: str = "running"
    finished_ns: int | None = None
    error: str = ""
    outputs: tuple[Output, ...] = ()
    truncated: bool = False


def run_key(run: str) -> str:
    return f"run:{run}"


def kernel_key(kernel: str) -> str:
    return f"kernel:{kernel}"


def execution_key(execution: str) -> str:
    return f"execution:{execution}"


def path_key(path: str) -> str:
    """What all that belongs to the notebook at `path` (absolute) can be looked up by."""
    # A file name may hold bytes that are no text.
    return "path:" + path.encode("utf-8", "backslashreplace").decode()


def run_body(run: Run) -> dict[str, Json]:
    """What the entry says with which `run` begins."""
    return {
        "format": FORMAT,
        "phase": BEGIN,
        "run": run.id,
        "kernel": run.kernel,
        "connection": run.connection,
        "pid": run.pid,
        "host": run.host,
        "boot": run.boot,
        "python": run.python,
        "executable": run.executable,
        "path": run.path,
        "started_ns": run.started_ns,
        **({"program": run.program} if run.program else {}),
    }


def read_run(entries: Iterable[Entry]) -> Run | None:
    """The run that `entries` (in order, all of one run) tell of, or None without a beginning.

    Raises Newer.
    """
    run: Run | None = None
    for entry in entries:
        body, phase = checked_body(entry)
        if phase == BEGIN:
            run = _begun_run(body)
        elif run is not None and phase == PATH:
            run = replace(run, path=str(body.get("path", "")))
        elif run is not None and phase == END:
            run = replace(run, ended_ns=_int(body, "finished_ns"), how=str(body.get("how", "")))
    return run


def _begun_run(body: Mapping[str, Json]) -> Run:
    return Run(
        id=RunId(str(body["run"])),
        kernel=str(body.get("kernel", "")),
        connection=str(body.get("connection", "")),
        pid=_int(body, "pid"),
        host=str(body.get("host", "")),
        boot=str(body.get("boot", "")),
        python=str(body.get("python", "")),
        executable=str(body.get("executable", "")),
        path=str(body.get("path", "")),
        started_ns=_int(body, "started_ns"),
        program=str(body.get("program", "")),
    )


def execution_body(execution: Execution) -> dict[str, Json]:
    """What the entry says with which `execution` begins, but for its source."""
    return {
        "format": FORMAT,
        "phase": BEGIN,
        "run": execution.run,
        "execution": execution.id,
        "count": execution.count,
        "cell_id": execution.cell_id,
        "path": execution.path,
        "started_ns": execution.started_ns,
        "kept": execution.kept,
    }


def read_execution(
    entries: Iterable[Entry], read: Read, *, with_outputs: bool = True
) -> Execution | None:
    """The execution that `entries` (in order, all of one execution) tell of; None without a
    beginning. Raises Newer, and what `read` raises."""
    found: Execution | None = None
    outputs: list[Output] = []
    for entry in entries:
        body, phase = checked_body(entry)
        if phase == BEGIN:
            found = _begun_execution(body, entry.roots, read)
        elif phase == OUTPUTS and with_outputs:
            outputs += _outputs(body, entry.roots, read)
        elif phase == END and found is not None:
            told = _outputs(body, entry.roots, read) if with_outputs else []
            outputs = told if body.get("folded") else [*outputs, *told]
            found = replace(
                found,
                status=str(body.get("status", "")),
                finished_ns=_int(body, "finished_ns"),
                error=str(body.get("error", "")),
                truncated=bool(body.get("truncated", False)),
            )
    if found is None:
        return None
    return replace(found, outputs=tuple(_as_in_notebook(fold_outputs(outputs))))


def _as_in_notebook(outputs: Iterable[Output]) -> Iterator[Output]:
    for output in outputs:
        if output.get("output_type") != "clear_output":
            yield {name: output[name] for name in output if name != "transient"}


def _begun_execution(body: Mapping[str, Json], roots: Sequence[Digest], read: Read) -> Execution:
    cell_id = body.get("cell_id")
    source = body.get("source")
    return Execution(
        id=ExecutionId(str(body["execution"])),
        run=RunId(str(body["run"])),
        count=_int(body, "count"),
        cell_id=None if cell_id is None else str(cell_id),
        path=str(body.get("path", "")),
        source=source if isinstance(source, str) else decode_text(read(roots)),
        started_ns=_int(body, "started_ns"),
        kept=bool(body.get("kept", True)),
    )


def _outputs(body: Mapping[str, Json], roots: Sequence[Digest], read: Read) -> list[Output]:
    told = body.get("outputs")
    if told is None:
        told = parse_json(read(roots)) if roots else []
    return [each for each in told if isinstance(each, Mapping)] if isinstance(told, list) else []


def encode_text(text: str) -> bytes:
    """`text` as bytes; half a surrogate pair, which a notebook may hold, survives."""
    return text.encode("utf-8", "surrogatepass")


def decode_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def fold_outputs(outputs: Iterable[Output]) -> list[Output]:
    """What a notebook shows after `outputs` came in this order: streams joined, what was cleared
    gone, displays updated. Carriage returns stay as they were sent. A clearing that waits for the
    next output stays last, so that folding again goes on from there."""
    shown: list[dict[str, Json]] = []
    clear_next = False
    for output in outputs:
        kind = output.get("output_type")
        if kind == "clear_output":
            clear_next = bool(output.get("wait"))
            if not clear_next:
                shown = []
            continue
        if kind == "update_display_data":
            _update_displays(shown, output)
            continue
        if clear_next:
            shown, clear_next = [], False
        last = shown[-1] if shown else None
        same = last is not None and last.get("output_type") == kind == "stream"
        if same and last is not None and last.get("name") == output.get("name"):
            last["text"] = f"{last.get('text')}{output.get('text')}"
        else:
            shown.append(dict(output))
    return [*shown, {"output_type": "clear_output", "wait": True}] if clear_next else list(shown)


def _update_displays(shown: list[dict[str, Json]], update: Output) -> None:
    wanted = display_id(update)
    for each in shown:
        if wanted is not None and display_id(each) == wanted:
            each["data"], each["metadata"] = update.get("data"), update.get("metadata")


def display_id(output: Output) -> str | None:
    """What the display can be updated by."""
    transient = output.get("transient")
    name = transient.get("display_id") if isinstance(transient, Mapping) else None
    return None if name is None else str(name)


def checked_body(entry: Entry) -> tuple[Mapping[str, Json], str]:
    """The entry's body and its phase. Raises Newer for a format of a later version."""
    check_format(_int(entry.body, "format"), FORMAT, f"An entry of kind {entry.kind}")
    return entry.body, str(entry.body.get("phase", BEGIN))


def _int(body: Mapping[str, Json], name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) else 0
