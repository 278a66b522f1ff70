"""Loses a notebook and its variables in every way there is, and brings them back: `./run --demo`.

Starts a real Jupyter server in a temporary home folder and talks to it as JupyterLab does, through
Jupyter's own REST interface. Compares bytes, not words. Leaves nothing behind and ends only the
server it started. Exit status 0 where every state came back, 1 with words where one did not.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
from kernel import Failed, kill_and_bring_back
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

NAME = "Analyse der Messung – α.ipynb"
SERVER_STARTS_WITHIN = 60.0
CHECKPOINT_APPEARS_WITHIN = 15.0


class Mismatch(Exception):
    """Something did not come back as it was."""


def say(text: str) -> None:
    print(text, flush=True)


def picture(red: int) -> str:
    """A PNG of 32 x 32 pixels, made by hand, as base64."""
    rows = b"".join(
        b"\0" + b"".join(bytes((red, 8 * x, 8 * y)) for x in range(32)) for y in range(32)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def states() -> Iterator[tuple[str, dict[str, Any]]]:
    """Five states of one notebook, each with the words for what changed."""
    intro = new_markdown_cell("# Messung\n\nDrei Läufe, **ein** Bild, $x^2$.", id="intro")
    load = new_code_cell("values = [3, 1, 4, 1, 5]\nprint(sum(values))", id="load")
    load.outputs = [new_output("stream", name="stdout", text="14\n")]
    load.execution_count = 1
    plot = new_code_cell("draw(values)", id="plot", execution_count=2)

    def drawn(red: int) -> list[Any]:
        data = {"image/png": picture(red), "text/plain": "<Picture 32 x 32>"}
        return [new_output("display_data", data=data)]

    book = new_notebook(cells=[intro, load])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    yield "Markdown and one code cell with its output", json.loads(nbformat.writes(book))
    plot.outputs = drawn(255)
    book.cells.append(plot)
    yield "a picture added", json.loads(nbformat.writes(book))
    load.source += "\nprint(max(values))  # the largest"
    load.outputs[0].text = "14\n5\n"
    yield "code changed and run again", json.loads(nbformat.writes(book))
    plot.outputs = drawn(0)
    book.cells.insert(1, new_markdown_cell("Ein Kommentar: 測定は成功した 🎉", id="note"))
    yield "another picture, and a remark", json.loads(nbformat.writes(book))
    del book.cells[0]
    trace = new_output(
        "error", ename="ValueError", evalue="no", traceback=["\x1b[31mValueError\x1b[0m: no"]
    )
    book.cells.append(new_code_cell("check(values)", id="check", outputs=[trace]))
    yield "the title deleted by mistake, and an error", json.loads(nbformat.writes(book))


class Server:
    """A Jupyter server of our own, and the few requests that JupyterLab would send to it."""

    def __init__(self, home: Path) -> None:
        self.files = home / "notebooks"
        self.files.mkdir()
        self.log = home / "server.log"
        self._token = secrets.token_hex(16)
        self._runtime = home / "runtime"
        self._process = self._start(home)
        try:
            self._url = self._wait()
        except BaseException:
            self.stop()
            raise

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        keep = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "XDG_", "IPYTHON"))
        }
        folders = {
            "HOME": home,
            "JUPYTER_CONFIG_DIR": home / "config",
            "JUPYTER_DATA_DIR": home / "data",
            "JUPYTER_RUNTIME_DIR": self._runtime,
            "IPYTHONDIR": home / "ipython",
        }
        command = [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--port=0"),
            f"--ServerApp.root_dir={self.files}",
            "--FileContentsManager.delete_to_trash=False",
            *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        ]
        environment = keep | {name: str(path) for name, path in folders.items()}
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                env=environment | {"JUPYTER_TOKEN": self._token},
                cwd=self.files,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _wait(self) -> str:
        deadline = time.monotonic() + SERVER_STARTS_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            for path in self._runtime.glob("jpserver-*.json"):
                with contextlib.suppress(ValueError, OSError):
                    url = f"http://127.0.0.1:{json.loads(path.read_text())['port']}"
                    self._send("GET", f"{url}/api/status")
                    return url
            time.sleep(0.05)
        log = self.log.read_text(errors="replace")[-2000:]
        raise Mismatch(f"The Jupyter server did not start. It said:\n{log}")

    def _send(self, method: str, url: str, body: object = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"token {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def send(self, method: str, path: str, body: object = None) -> Any:
        """The answer of one REST request about our notebook."""
        try:
            return self._send(method, f"{self._url}/api/contents/{quote(NAME)}{path}", body)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise Mismatch(f"{method} {path or NAME} was answered {error.code}: {said}") from None

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer of one REST request below the server's own address."""
        return self._send(method, f"{self._url}{path}", body)

    @property
    def runtime(self) -> Path:
        """Where the connection files of this server's kernels lie."""
        return self._runtime

    def checkpoints(self) -> list[str]:
        """The ids of all checkpoints, oldest first."""
        return [each["id"] for each in self.send("GET", "/checkpoints")]

    def new_checkpoint(self, known: list[str]) -> str:
        """The id of the checkpoint that the last save made by itself."""
        deadline = time.monotonic() + CHECKPOINT_APPEARS_WITHIN
        while time.monotonic() < deadline:
            fresh = [each for each in self.checkpoints() if each not in known]
            if fresh:
                return fresh[-1]
            time.sleep(0.05)
        raise Mismatch("A save made no checkpoint. Is the extension on? Try: jupyter rewind doctor")

    def stop(self) -> None:
        """Our server has ended; no other process is touched."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def compare(path: Path, expected: bytes, when: str) -> None:
    found = path.read_bytes() if path.exists() else None
    if found is None:
        raise Mismatch(f"{when}: the notebook is not there.")
    if found != expected:
        raise Mismatch(f"{when}: {len(found)} bytes are there, not the {len(expected)} saved.")


def lose_and_bring_back(server: Server) -> None:
    path = server.files / NAME
    saved: list[tuple[str, bytes]] = []
    known: list[str] = []
    say(f"\nSaving “{NAME}” five times, as JupyterLab saves it:")
    for number, (what, content) in enumerate(states(), start=1):
        server.send("PUT", "", {"type": "notebook", "format": "json", "content": content})
        checkpoint = server.new_checkpoint(known)
        known = server.checkpoints()
        saved.append((checkpoint, path.read_bytes()))
        say(f"  {number}. {what}: {len(saved[-1][1]):,} bytes, checkpoint {checkpoint}")
    newest, whole = saved[-1]

    say("\nThe disaster: the file is emptied to 0 bytes, behind Jupyter's back.")
    path.write_bytes(b"")
    server.send("POST", f"/checkpoints/{newest}")
    compare(path, whole, "After emptying")
    say(f"  Restored through Jupyter's own “Revert to Checkpoint”: {len(whole):,} equal bytes.")

    say("\nThe next one: the notebook is deleted in Jupyter.")
    server.send("DELETE", "")
    if path.exists():
        raise Mismatch("The notebook was deleted and is still there.")
    server.send("POST", f"/checkpoints/{newest}")
    compare(path, whole, "After deleting")
    say(f"  Undeleted: {len(whole):,} bytes, all equal.")

    say("\nGoing back to each of the five states:")
    for number, (checkpoint, expected) in enumerate(saved, start=1):
        server.send("POST", f"/checkpoints/{checkpoint}")
        compare(path, expected, f"State {number}")
        say(f"  {number}. {len(expected):,} bytes, all equal.")
    lost = [checkpoint for checkpoint, _ in saved if checkpoint not in server.checkpoints()]
    if lost:
        raise Mismatch(f"Checkpoints are gone from the history: {', '.join(lost)}")


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rewind-demo-") as folder:
        say("Starting a Jupyter server of its own, in a temporary home folder…")
        try:
            server = Server(Path(folder).resolve())
        except Mismatch as problem:
            say(f"\nThe demo failed. {problem}")
            return 1
        try:
            lose_and_bring_back(server)
            kill_and_bring_back(server.ask, server.runtime, NAME, say)
        except (Mismatch, Failed, OSError, http.client.HTTPException) as problem:
            say(f"\nThe demo failed. {problem}")
            say("The server said last:\n" + server.log.read_text(errors="replace")[-2000:])
            return 1
        finally:
            server.stop()
    say("\nEverything came back. Nothing was configured, nothing is left behind.")
    say(f"({time.monotonic() - began:.1f} seconds)")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
