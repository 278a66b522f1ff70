"""What a running kernel is asked, and how: only while it is idle, and leaving nothing behind.

A kernel that does not answer at once is busy and is asked nothing more; the one small question
that waits for it is answered to nobody. The requests store no history, print nothing, count no
execution and bind no name. The connection's key stays in this process's memory.

Two requests, for what the kernel is and for its history, run nothing of the user's. They give the
code and the texts of values. Tables, pictures and the sources of functions can only be had from
code that is evaluated inside, and around that IPython runs what is registered with it: the
callbacks of `post_execute` (matplotlib's is one; `pre_execute` is not run) and input transformers.
So that is asked only where the user says so.
"""

from __future__ import annotations

import ast
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Format, Unavailable
from jupyter_rewind.recovery.regular import read_file

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

IDLE_SECONDS = 4.0
ANSWER_SECONDS = 30.0
_KNOCK_SECONDS = 0.3
LARGEST = 1 << 16

# Evaluated in the kernel, in a dictionary of its own, with none of the user's names. It touches
# no object of the user's but functions and classes of exactly those types, and calls none.
_INSIDE = """
import inspect, json, types
from IPython import get_ipython
shell = get_ipython()
def weigh(value):
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is list:
        return sum(map(weigh, value)) + len(value)
    if kind is dict:
        return sum(map(weigh, value)) + sum(map(weigh, value.values())) + len(value)
    return 8 if kind in (int, float, bool) or value is None else LARGEST * 2
space["weigh"] = weigh
manager = shell.history_manager
typed = list(manager.input_hist_raw)
told = {"session": manager.session_number, "file": str(manager.hist_file), "typed": typed}
told["count"] = shell.execution_count
results = {}
for line, outputs in list(dict(getattr(manager, "outputs", {})).items()):
    for output in outputs:
        if output.output_type == "execute_result":
            bundle = {k: v for k, v in dict(output.bundle).items() if weigh(v) <= LARGEST}
            if weigh(bundle) <= LARGEST:
                results[str(line)] = bundle
told["results"] = results
texts = {}
for line, text in list(dict(manager.output_hist_reprs).items()):
    if type(text) is str and len(text) <= LARGEST:
        texts[str(line)] = text
told["texts"] = texts
sources = []
for name, value in list(shell.user_ns.items()):
    if type(name) is not str or name.startswith("_"):
        continue
    if type(value) is types.FunctionType or type(value) is type:
        module = value.__module__
        if type(module) is not str or module != "__main__":
            continue
        try:
            sources.append((type(value) is type and "class" or "function", name,
                            inspect.getsource(value)))
        except Exception:
            pass
told["sources"] = sources
answer = json.dumps(told)
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What a kernel told of itself.

    `typed` holds its cells by line. `texts` and `results` are what its cells evaluated to, by
    line; `sources` are its own functions and classes. `session` is 0 where it has no number.
    """

    typed: dict[int, str]
    texts: dict[int, str]
    results: dict[int, dict[str, Any]]
    sources: tuple[tuple[str, str, str], ...]
    session: int
    history: str
    language: str


def listens(connection: Path) -> bool:
    """Whether some program listens where the connection file says its kernel does."""
    try:
        if connection.stat().st_size > LARGEST:
            return False
        told = json.loads(read_file(connection, LARGEST))
        port = int(told["hb_port"])
        if told.get("transport") == "ipc":
            return os.path.exists(f"{told['ip']}-{port}")
        with socket.create_connection((str(told["ip"]), port), timeout=_KNOCK_SECONDS):
            return True
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return False


def ask(connection: Path, *, inside: bool = False) -> Told:
    """What the kernel of a connection file tells. Raises Unavailable (busy, or gone), Format.

    With `inside` it evaluates code of ours, around which callbacks of the user's are run.
    """
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    client.load_connection_file(str(connection))
    client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)
    try:
        language = _language(client)
        typed, texts = _history(client)
        answer = _inside(client) if inside and language == "python" else {}
    finally:
        client.stop_channels()
    if answer:
        return _merge(typed, answer, language)
    shown = {line for line in texts if language != "python" or shows_value(typed[line])}
    texts = {line: text for line, text in texts.items() if line in shown}
    return Told(typed, texts, {}, (), 0, "", language)


def _language(client: BlockingKernelClient) -> str:
    reply = _reply(client, client.kernel_info(), IDLE_SECONDS)
    info = reply.get("language_info")
    return str(info.get("name", "")) if isinstance(info, dict) else ""


def _history(client: BlockingKernelClient) -> tuple[dict[int, str], dict[int, str]]:
    message = client.history(raw=True, output=True, hist_access_type="range", session=0, start=1)
    reply = _reply(client, message, ANSWER_SECONDS)
    typed: dict[int, str] = {}
    texts: dict[int, str] = {}
    entries = reply.get("history")
    for entry in entries if isinstance(entries, list) else ():
        try:
            _, line, (source, text) = entry
        except (TypeError, ValueError):
            continue
        if isinstance(line, int) and isinstance(source, str) and source:
            typed[line] = source
            if isinstance(text, str):
                texts[line] = text
    return typed, texts


def _inside(client: BlockingKernelClient) -> dict[str, Any]:
    code = _INSIDE.replace("LARGEST", str(1 << 20))
    # A name of the user's may hide the function of Python that it is called by.
    execute = "(lambda: 0).__globals__['__builtins__'].exec"
    question = (
        f"(lambda run, space: space.update(space=space) or run({code!r}, space)"
        f" or space['answer'])({execute}, {{}})"
    )
    message = client.execute(
        "", silent=True, store_history=False, user_expressions={"told": question}, allow_stdin=False
    )
    reply = _reply(client, message, ANSWER_SECONDS)
    try:
        told = reply["user_expressions"]["told"]
        if told["status"] != "ok":
            return {}
        answer = json.loads(ast.literal_eval(told["data"]["text/plain"]))
    except (KeyError, TypeError, ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _reply(client: BlockingKernelClient, message: str, seconds: float) -> dict[str, Any]:
    """The content of the answer to exactly that message. Raises Unavailable, Format."""
    from queue import Empty

    deadline = clock.monotonic() + seconds
    while (left := deadline - clock.monotonic()) > 0:
        try:
            reply = client.get_shell_msg(timeout=left)
        except Empty:
            break
        except ValueError as error:
            raise Format(f"What listens there does not answer as a kernel: {error}.") from error
        if reply["parent_header"].get("msg_id") == message:
            return dict(reply["content"])
    raise busy()


def busy() -> Unavailable:
    """That a kernel computes, and so answers nobody."""
    return Unavailable(
        "The kernel did not answer: it is busy, and was not asked further.",
        hint="What it ran is in IPython's history as well. Its values can be asked for when idle.",
        retryable=True,
    )


def _merge(typed: dict[int, str], inside: dict[str, Any], language: str) -> Told:
    """Outputs are taken only where lines and counts agree: a typed `exit` shifts one of them."""
    cells = {line: text for line, text in enumerate(inside["typed"]) if text}
    sound = len(inside["typed"]) == inside["count"]
    shown = {line for line, text in cells.items() if shows_value(text)} if sound else set()
    return Told(
        {**typed, **cells},
        {int(line): text for line, text in inside["texts"].items() if int(line) in shown},
        {int(line): data for line, data in inside["results"].items() if int(line) in shown},
        tuple((str(kind), str(name), str(text)) for kind, name, text in inside["sources"]),
        int(inside["session"] or 0),
        str(inside["file"]),
        language,
    )


def shows_value(source: str) -> bool:
    """Whether the cell ends in an expression whose value a notebook shows."""
    text = source.rstrip()
    if text.endswith(";"):
        return False
    lines = [line for line in text.split("\n") if not line.lstrip().startswith(("%", "!"))]
    try:
        body = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if not body or not isinstance(body[-1], ast.Expr):
        return False
    call = body[-1].value
    return not (
        isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"
    )
