"""Rewind inside a kernel: a journal and a snapshot for each cell, and the magic `%rewind`.

A fault of ours never reaches the user's cell: it is told once, in one line, and written to the
log. Whatever is not needed for the first cell is imported when it is.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.ipython.autosave import offer_autosave
from jupyter_rewind.faces.ipython.firstuse import meet_replicas
from jupyter_rewind.faces.ipython.hooks import Hooks
from jupyter_rewind.faces.ipython.lightening import offer_lightening
from jupyter_rewind.faces.ipython.offer import Offer
from jupyter_rewind.faces.ipython.outputs import OutputListener
from jupyter_rewind.faces.ipython.outside import OutsideWatch
from jupyter_rewind.faces.ipython.place import PathWatch, find_place
from jupyter_rewind.faces.ipython.stopped import Stopped, leave
from jupyter_rewind.faces.ipython.verbs import Verbs
from jupyter_rewind.kernels.beginning import Place
from jupyter_rewind.kernels.life import LIFE_VARIABLE
from jupyter_rewind.kernels.predecessor import Predecessor
from jupyter_rewind.kernels.readiness import make_ready
from jupyter_rewind.kernels.session import KernelSession
from jupyter_rewind.settings import Rewind

if TYPE_CHECKING:
    from jupyter_rewind.kernels.archive import Archive
    from jupyter_rewind.model.execution import Run

log = logging.getLogger(__name__)
_ATTRIBUTE = "_jupyter_rewind"
_LEFT = "_jupyter_rewind_left"
"""The session that was unloaded last."""
_RESULT = re.compile(r"_{1,3}\Z|_\d+\Z")
_OF_PARENTS: list[Extension] = []


class Extension:
    """What Rewind has put into one shell."""

    def __init__(self, shell: Any, session: KernelSession) -> None:
        self.shell = shell
        self.session = session
        self.listener = OutputListener(session)
        self.outside = OutsideWatch(session)
        self.predecessor = Predecessor(session, _runs_of_notebook)
        self.verbs = Verbs(session, self.predecessor)
        watch = PathWatch(shell, session.run.path)
        self.hooks = Hooks(shell, session, self.listener, watch, Offer(self.verbs))

    def install(self, *, is_back: bool = False) -> None:
        """Cells are journaled from now on. What `is_back` from a process image is offered nothing
        of before: it has it."""
        self.session.harmless = functools.partial(last_results, self.shell)
        self.session.faults.install()
        self.session.start()
        self.hooks.install()
        kernel = getattr(self.shell, "kernel", None)
        if kernel is not None:
            self.listener.install(kernel)
            self.outside.install(kernel)
        if self.session.settings.kernels_templates:
            self._offer_templates()
        make_ready()
        # What a program runs from beginning to end goes on from nothing.
        resumes = self.session.settings.kernels_resume != "never" and not is_back
        if resumes and not self.session.run.program:
            self.predecessor.look()
        self._offer_magic()
        self._undo_autosave = offer_autosave(self.shell)
        atexit.register(self._end, "exit")

    def _offer_templates(self) -> None:
        from jupyter_rewind.faces.ipython.templates import Templates

        again = functools.partial(begin_again, self.shell)
        self.verbs.templates = self.hooks.templates = Templates(self.shell, self.session, again)

    def _offer_magic(self) -> None:
        """`%rewind` is there; its code is not, until it is used."""
        shell, verbs = self.shell, self.verbs

        def rewind(line: str) -> None:
            """Goes back to any cell: `%rewind to 7`, `%rewind undo`. `%rewind` says the rest."""
            from jupyter_rewind.faces.ipython.magics import RewindMagic

            RewindMagic(shell, verbs).run(line)

        shell.register_magic_function(rewind, "line", "rewind")

    def remove(self) -> None:
        """The shell is as it was before."""
        if self.hooks.templates is not None:
            self.hooks.templates.before_cell()
        self.hooks.remove()
        self.listener.remove()
        self.outside.remove()
        self.shell.magics_manager.magics["line"].pop("rewind", None)
        self._undo_autosave()
        atexit.unregister(self._end)
        self._end("unloaded")
        self.session.faults.remove()

    def _end(self, how: str) -> None:
        try:
            self.session.close(how)
        except RewindError as error:
            log.warning("the end of the run was not written: %s", error)
        except Exception:
            log.warning("the end of the run was not written", exc_info=True)


def load(
    shell: Any, *, place: Place | None = None, before: KernelSession | None = None
) -> Extension | None:
    """Rewind is on in `shell`; None where it cannot be, which costs nothing but a word. `before`
    is what it was before this process came back from an image; where it was only unloaded, the run
    goes on."""
    present = find_extension(shell)
    if present is not None:
        return present
    leave(shell)
    if life := os.environ.get(LIFE_VARIABLE):
        clock.watch_life(Path(life))
        offer_lightening(shell, functools.partial(_session_of, shell))
    settings = Rewind.load_leniently()
    stopped = next((each.error for each in settings.problems if each.stops), None)
    if stopped is not None:
        _stop(shell, f"Jupyter Rewind is off in this kernel: {stopped}")
        return None
    if not settings.kernels_enabled:
        off = "Jupyter Rewind is switched off in kernels (`kernels.enabled`)."
        Stopped(shell, off, is_news=False).install()
        return None
    extension = None
    left = before or _left_in(shell, settings)
    meet_replicas(settings)
    try:
        session = KernelSession(shell.user_ns, settings, place or find_place(shell), tell, left)
        extension = Extension(shell, session)
        extension.install(is_back=left is not None)
    except RewindError as error:
        if extension is not None:
            extension.session.faults.remove()
        _stop(shell, f"Jupyter Rewind keeps nothing of this kernel: {error}")
        return None
    setattr(shell, _ATTRIBUTE, extension)
    vars(shell).pop(_LEFT, None)
    return extension


def _stop(shell: Any, words: str) -> None:
    """The user hears why Rewind is not on: in the log, and below the first cell."""
    tell(words)
    Stopped(shell, words, is_news=True).install()


def unload(shell: Any) -> None:
    """Rewind is off in `shell`."""
    leave(shell)
    extension = find_extension(shell)
    if extension is not None:
        extension.remove()
        delattr(shell, _ATTRIBUTE)
        setattr(shell, _LEFT, extension.session)


def _left_in(shell: Any, settings: Rewind) -> KernelSession | None:
    """The session that `shell` had before, if its states are where new ones will be."""
    left = getattr(shell, _LEFT, None)
    if not isinstance(left, KernelSession) or not left.is_here:
        return None
    was = left.settings
    is_same = was.store_path == settings.store_path
    return left if is_same and was.store_key_folder == settings.store_key_folder else None


def come_back(shell: Any, connection: str) -> None:
    """Rewind begins anew in a kernel that came back from a process image, with the states of
    before; `connection` is its connection file now. In any other, nothing happens."""
    present = find_extension(shell)
    if present is None or present.session.is_here:
        return
    try:
        unload(shell)
        present.session.leave()
    except Exception:
        log.warning("what was open before the process image is not let go of", exc_info=True)
        vars(shell).pop(_ATTRIBUTE, None)
    load(shell, place=find_place(shell, Path(connection)), before=present.session)


def begin_again(shell: Any) -> None:
    """Rewind begins anew in a template that has been woken, with the states of before. What it had
    open is the parent's, and is held here for ever."""
    present = find_extension(shell)
    if present is not None:
        _OF_PARENTS.append(present)
        unload(shell)
        load(shell, place=find_place(shell), before=present.session)


def find_extension(shell: Any) -> Extension | None:
    """What was loaded into `shell`, if it was."""
    found = getattr(shell, _ATTRIBUTE, None)
    return found if isinstance(found, Extension) else None


def _runs_of_notebook(archive: Archive, path: str) -> list[Run]:
    from jupyter_rewind.lineage import runs_of_notebook

    return runs_of_notebook(archive, path)


def _session_of(shell: Any) -> KernelSession | None:
    extension = find_extension(shell)
    return None if extension is None else extension.session


def last_results(shell: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """IPython's own references to what the last cells were worth; it never writes through them."""
    hook = getattr(shell, "displayhook", None)
    if hook is not None:
        for name in ("_", "__", "___"):
            yield vars(hook), name
    hidden = getattr(shell, "user_ns_hidden", None)
    if type(hidden) is dict:
        # It holds what was typed as well, a name for each cell: those are passed over quickly.
        for name in [one for one in hidden if one[1:2] != "i"]:
            if _RESULT.match(name):
                yield hidden, name
    result = getattr(shell, "last_execution_result", None)
    if result is not None:
        yield vars(result), "result"


def current_verbs() -> Verbs | None:
    """The verbs of the kernel that this code runs in, if Rewind is on in it."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    extension = None if shell is None else find_extension(shell)
    return None if extension is None else extension.verbs


def tell(words: str) -> None:
    """One quiet line that the user sees below the cell, and in the log where there is no cell."""
    sys.stderr.write(f"{words}\n")
