"""The command that starts Jupyter with all of Rewind, from one file of settings.

Jupyter runs as a process of its own in a session of its own: Ctrl-C here asks it to end once, and
after a limit ends it. Its kernels are hosted, so they never end that way. Where root asks for
another user, the command becomes that user first.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_rewind import clock
from jupyter_rewind.errors import InvalidInput, NotFound, Unavailable
from jupyter_rewind.faces.cli.account import Account, find_account
from jupyter_rewind.faces.cli.answers import Answer, Document, Part, Remark, Words
from jupyter_rewind.faces.cli.command import Commands, Face

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

commands = Commands("Serve")

_MODULES = {"lab": "jupyterlab", "notebook": "notebook", "server": "jupyter_server"}
_PACKAGES = {"lab": "jupyterlab", "notebook": "notebook", "server": "jupyter-server"}
_LEVELS = {"warning": "WARN"}
_LAUNCHER = "jupyter_rewind.faces.server.launch"
_TICK_SECONDS = 0.1
_ENDS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be started: the program `module` of Jupyter's with the arguments `jupyter`;
    `remarks` are for the user."""

    settings: Rewind
    overrides: Mapping[str, str]
    module: str
    jupyter: tuple[str, ...]
    runtime: Path
    remarks: tuple[str, ...]

    @property
    def makes_images(self) -> bool:
        return self.settings.kernels_host and self.settings.kernels_images


@commands.add("serve")
def serve(
    face: Face,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGUMENT", help="More arguments for Jupyter."),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE", help="A YAML file, or a Jupyter configuration."),
    ] = None,
    port: Annotated[
        str | None, typer.Option("--port", metavar="PORT", help="The port to listen at.")
    ] = None,
) -> Answer:
    """Start Jupyter with hosted kernels and, where the machine allows them, process images.

    FILE (.yml) has the sections `rewind` (these settings), `jupyter` (Jupyter's own, by class), and
    JuSnap's `jusnap` and `graceful`; a .py or .json is Jupyter's. Goes on until Ctrl-C or SIGTERM.
    """
    plan = _plan(face, config, port, tuple(arguments or ()))
    for text in plan.remarks:
        face.screen.remark(text)
    with _kernelspec(plan) as environment:
        return _Run(face, plan, environment).run()


def _plan(face: Face, config: str | None, port: str | None, more: tuple[str, ...]) -> Plan:
    from jupyter_core.paths import jupyter_runtime_dir

    from jupyter_rewind.settings import Settings

    told, jupyter = _read_config(config)
    overrides = {**told, **face.overrides(), **({"serve.port": port} if port else {})}
    account = find_account(*_wanted_user(overrides))
    # Before anything else: what is read and written from here on is that user's.
    remarks = account.become() if account else []
    settings: Rewind = Settings.load(overrides)
    if account:
        _require_rights(account, settings, config)
    for key, value in _defaults(settings, account, remarks).items():
        overrides.setdefault(key, value)
    settings = Settings.load(overrides)
    module = _MODULES[settings.serve_app]
    if importlib.util.find_spec(module) is None:
        package = _PACKAGES[settings.serve_app]
        raise NotFound(
            f"{package} is not installed here.",
            hint=f"`{sys.executable} -m pip install {package}`, or choose another serve.app.",
        )
    words = ["--no-browser", *_flags(settings), *jupyter]
    words += [f"--Rewind.{key.replace('.', '_', 1)}={value}" for key, value in overrides.items()]
    words += [*shlex.split(settings.serve_jupyter_arguments), *more]
    runtime = Path(settings.serve_runtime_path or jupyter_runtime_dir())
    return Plan(settings, overrides, module, tuple(words), runtime, tuple(remarks))


def _wanted_user(overrides: Mapping[str, str]) -> tuple[str, str]:
    """What serve.uid and serve.gid are. The files of settings, which may be programs in the home of
    that very user, are read only where neither the command nor the environment names one."""
    from jupyter_rewind.settings import Settings, environment_name, trait_name

    said = {trait_name(key): value for key, value in overrides.items()}
    for name in ("serve_uid", "serve_gid"):
        if (value := os.environ.get(environment_name(name))) is not None:
            said.setdefault(name, value)
    if "serve_uid" in said:
        return said["serve_uid"], said.get("serve_gid", "")
    settings: Rewind = Settings.load(overrides)
    return settings.serve_uid, settings.serve_gid


def _require_rights(account: Account, settings: Rewind, config: str | None) -> None:
    """Jupyter would leave out what it cannot read, or take another port, without a clear word."""
    of_jupyters = config if config and config.endswith((".py", ".json")) else ""
    files = (of_jupyters, settings.serve_certfile, settings.serve_keyfile)
    account.require_readable(filter(None, files))
    if settings.serve_log_file:
        account.require_writable(settings.serve_log_file)
    account.require_ports((settings.serve_port, settings.jusnap_http_port))


def _read_config(config: str | None) -> tuple[dict[str, str], list[str]]:
    """Settings, and arguments for Jupyter."""
    from jupyter_rewind.settings.jusnap import read_serve_file

    if config is None:
        return {}, []
    path = Path(config).absolute()
    if not path.is_file():
        raise NotFound(f"There is no file {config}.", hint="Nothing was started.")
    if path.suffix in (".py", ".json"):
        return {}, [f"--config={path}"]
    settings, jupyter = read_serve_file(path)
    flags = [
        f"--{name}.{trait}={value if isinstance(value, str) else repr(value)}"
        for name, traits in jupyter.items()
        for trait, value in traits.items()
    ]
    return settings, flags


def _defaults(settings: Rewind, account: Account | None, remarks: list[str]) -> dict[str, str]:
    """What `serve` turns on, where the user has not said otherwise."""
    from jupyter_rewind.kernels.images.criu import find_criu

    chosen: dict[str, str] = {}
    if sys.platform == "linux" and settings.origin_of("kernels.host") == "default":
        chosen["kernels.host"] = "true"
    if account and account.uid != 0:
        remarks.append(_without_root(account, settings))
    elif settings.origin_of("kernels.images") == "default":
        problem = find_criu(settings).problem
        if not problem and os.geteuid() != 0:
            # A kernel would be told that it is root: for those who ask for it.
            remarks.append("Process images are made with kernels.images; states are kept anyway.")
        elif problem:
            remarks.append(f"No process images: {problem}. States of variables are kept.")
        else:
            chosen["kernels.images"] = "true"
    return chosen


def _without_root(account: Account, settings: Rewind) -> str:
    """What it means for process images that root's rights are given up."""
    from jupyter_rewind.kernels.images.criu import find_criu

    if settings.origin_of("kernels.images") != "default" and not settings.kernels_images:
        return f"Jupyter runs as {account.name}, without root's rights."
    begin = f"Jupyter runs as {account.name}, without the rights of root that images take"
    problem = find_criu(settings).problem
    if problem:
        return f"{begin}; no process images: {problem}. States of variables are kept."
    if settings.kernels_images:
        return f"{begin}; process images are made in namespaces of users."
    return f"{begin}; with kernels.images they are made without. States are kept anyway."


def _flags(settings: Rewind) -> list[str]:
    level = settings.serve_log_level
    flags = [f"--log-level={_LEVELS.get(level, level.upper())}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--allow-root")
    for trait, value in (
        ("ip", settings.serve_ip),
        ("port", settings.serve_port),
        ("certfile", settings.serve_certfile),
        ("keyfile", settings.serve_keyfile),
    ):
        if value:
            flags.append(f"--ServerApp.{trait}={value}")
    return flags


@contextlib.contextmanager
def _kernelspec(plan: Plan) -> Iterator[dict[str, str]]:
    """The environment of Jupyter, in which python3 is what the settings say."""
    environment = dict(os.environ)
    settings = plan.settings
    if settings.serve_runtime_path:
        environment["JUPYTER_RUNTIME_DIR"] = settings.serve_runtime_path
    words = shlex.split(settings.serve_kernel_arguments)
    if settings.serve_history_file:
        words.append(f"--HistoryManager.hist_file={settings.serve_history_file}")
    if not (words or settings.serve_python):
        yield environment
        return
    from jupyter_rewind.kernels.hosting.spec import require_ipykernel, write_spec

    python = shutil.which(os.path.expanduser(settings.serve_python or sys.executable))
    if python is None:
        raise InvalidInput(
            f"There is no program {settings.serve_python}.", hint="serve.python names a Python."
        )
    require_ipykernel(python)
    folder = plan.runtime / f"rewind-serve-{clock.pid()}"
    try:
        write_spec(folder, python, words)
        before = environment.get("JUPYTER_PATH")
        environment["JUPYTER_PATH"] = os.pathsep.join([str(folder), *([before] if before else [])])
        yield environment
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _leash() -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
    """What Jupyter is given so that it ends with this process, even where that is killed: variables
    and descriptors."""
    from jupyter_rewind.settings.serving import STARTER_VARIABLE

    if os.name != "posix":
        yield {}, ()
        return
    theirs, ours = os.pipe()
    try:
        yield {STARTER_VARIABLE: str(theirs)}, (theirs,)
    finally:
        os.close(theirs)
        os.close(ours)


class _Run:
    """Jupyter from its start to its end."""

    def __init__(self, face: Face, plan: Plan, environment: dict[str, str]) -> None:
        self._face = face
        self._plan = plan
        self._environment = environment
        self._asked_to_end = False
        self._url = ""

    def run(self) -> Answer:
        """Waits for the end. Raises Unavailable where Jupyter failed, or had to be killed."""
        from jupyter_rewind.settings.serving import ARGUMENTS_VARIABLE

        before = {number: signal.signal(number, self._ask_to_end) for number in _ENDS}
        try:
            with self._log() as log, _leash() as (environment, passed):
                environment[ARGUMENTS_VARIABLE] = json.dumps(self._plan.jupyter)
                process = subprocess.Popen(
                    [sys.executable, "-m", _LAUNCHER, self._plan.module],
                    env=self._environment | environment, pass_fds=passed,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
                try:
                    self._wait(process)
                finally:
                    self._end(process)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if process.returncode and not self._asked_to_end:
            name = self._plan.settings.serve_log_file
            where = f": {name}" if name else ""
            raise Unavailable(
                f"Jupyter ended with status {process.returncode}.",
                hint=f"Its log says why{where}. What was saved is safe.",
            )
        return Answer(self._told("stopped", process.pid), [Words("Jupyter has ended.")])

    def _ask_to_end(self, *_: object) -> None:
        self._asked_to_end = True

    @contextlib.contextmanager
    def _log(self) -> Iterator[int | None]:
        """Where Jupyter's log goes; None for where ours goes. With --json not to the answers."""
        name = self._plan.settings.serve_log_file
        if not name:
            yield sys.stderr.fileno() if self._face.screen.as_json else None
            return
        log = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield log
        finally:
            os.close(log)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Returns when Jupyter has ended or is asked to; tells once where it listens."""
        while process.poll() is None and not self._asked_to_end:
            if not self._url:
                self._url = self._find_url(process.pid)
                if self._url:
                    parts: list[Part] = [Words(f"Jupyter is at {self._url}")]
                    if self._plan.settings.serve_log_file:
                        parts.append(Remark(f"Its log: {self._plan.settings.serve_log_file}"))
                    self._face.event(Answer(self._told("started", process.pid), parts))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TICK_SECONDS)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is not None:
            return
        seconds = self._plan.settings.serve_shutdown_seconds
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Unavailable(
                f"Jupyter did not end within {seconds} seconds, and was killed.",
                hint="What was saved is safe, and hosted kernels go on: the next server takes"
                " them over. serve.shutdown_seconds gives it more time.",
            ) from None

    def _find_url(self, pid: int) -> str:
        """Where Jupyter listens, with its token; empty before it does."""
        try:
            told: dict[str, Any] = json.loads(
                (self._plan.runtime / f"jpserver-{pid}.json").read_text()
            )
            host = told["hostname"] if told["hostname"] not in ("", "*") else "localhost"
            # Jupyter tells its address a moment before it listens.
            socket.create_connection((host, told["port"]), 5).close()
            token = f"?token={told['token']}" if told.get("token") else ""
            return f"{told['url']}{token}"
        except (OSError, ValueError, KeyError):
            return ""

    def _told(self, event: str, pid: int) -> Document:
        log = self._plan.settings.serve_log_file
        return {
            "event": event, "url": self._url, "pid": pid, "images": self._plan.makes_images,
            "log": log or None,
        }  # fmt: skip
