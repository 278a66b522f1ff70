"""From traces to a notebook on the disk: look, gather, rebuild, write; never over what is there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from jupyter_rewind.errors import Conflict, InvalidInput, Storage
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.advice import memory_in_words
from jupyter_rewind.recovery.blends import without_blends
from jupyter_rewind.recovery.elsewhere import (
    elsewhere_in_words,
    of_checkpoint_in_words,
    renamed_in_words,
)
from jupyter_rewind.recovery.evidence import Evidence, EvidenceCell, FoundDocument, Problem, Scope
from jupyter_rewind.recovery.filestate import DAMAGED, NO_FILE, FileState, state_of
from jupyter_rewind.recovery.fragments import with_fragments
from jupyter_rewind.recovery.kernelruns import is_ipython, language_in
from jupyter_rewind.recovery.namedsessions import named_sessions
from jupyter_rewind.recovery.nearnames import copies_in_words, meant_in_words
from jupyter_rewind.recovery.otherversions import (
    OtherVersion,
    build_on,
    in_words,
    other_versions,
    sides_in_words,
)
from jupyter_rewind.recovery.rebuild import Rebuilt, RebuiltCell, to_notebook
from jupyter_rewind.recovery.search import Found, Nothing
from jupyter_rewind.recovery.siblings import with_siblings
from jupyter_rewind.recovery.thinning import left_in_words
from jupyter_rewind.recovery.traces.present import PresentFinder
from jupyter_rewind.recovery.unnamed import rebuild_named
from jupyter_rewind.recovery.walking import RECOVERED
from jupyter_rewind.store.durable import Files

_PRIVATE = 0o600
_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found of a notebook and what could be made of it; nothing is written yet.

    `problems` are all traces that could not be seen or read. `present` is the notebook as it
    lies on the disk, where it can be read, and `file` says in what state it is. `others` are
    versions with cells that are not in it.
    """

    notebook: Path
    found: Found
    evidence: Evidence
    rebuilt: Rebuilt
    problems: tuple[Problem, ...]
    present: FoundDocument | None
    others: tuple[OtherVersion, ...] = ()
    file: FileState = NO_FILE

    @property
    def adds_nothing(self) -> bool:
        """Whether the file on disk is whole and has every cell, as it was brought back.

        Outputs that are only known to be of an earlier run are told, and are no gain.
        """
        if self.present is None or self.present.damages or not self.present.complete:
            return False
        if self.file.state == DAMAGED:
            return False
        made = [each.cell for each in self.rebuilt.cells]
        if len(made) != len(self.present.cells):
            return False
        return all(
            (new.kind, new.source) == (old.kind, old.source) and not _shows_more(new, old)
            for new, old in zip(made, self.present.cells, strict=True)
        )


def _shows_more(new: EvidenceCell, old: EvidenceCell) -> bool:
    """Whether `new` has outputs of a run that `old` shows nothing of."""
    return bool(new.outputs) and new.outputs != old.outputs and new.execution_count is not None


def recover(scope: Scope, found: Found | None = None, version: str = "") -> Recovery | Nothing:
    """The best notebook that the traces give.

    `version` is the place (or a part of it) of the document to build on, "" for the newest.
    Raises InvalidInput where there is none, and where a session that was named is of two
    histories; NotFound where it is of none.
    """
    notebook = scope.notebook
    if notebook is None:
        raise ValueError("recover needs a notebook")
    found = search.look(scope) if found is None else found
    # First, so that its bytes are not held beside what is made of them.
    file = state_of(notebook)
    heard = named_sessions(search.gather(scope, found.traces, version=version), scope)
    evidence = with_siblings(without_blends(heard), scope)
    scope.progress("Rebuilding the notebook", None)
    chosen = build_on(notebook, evidence, version) if version else evidence
    rebuilt = with_fragments(scope, rebuild_named(notebook, chosen), chosen)
    rebuilt = _doubtful_rather_than_none(rebuilt)
    cells = [each.cell for each in rebuilt.cells]
    others = other_versions(notebook, evidence, cells, rebuilt.base)
    steps = rebuilt.next_steps + sides_in_words(cells) + in_words(others)
    steps += left_in_words(notebook, evidence.unread)
    code = [each.source for each in cells if each.kind == "code"]
    elsewhere = elsewhere_in_words if rebuilt.base is None else renamed_in_words
    near = elsewhere(scope, code)
    if not file.is_whole:
        near += copies_in_words(scope, cells, found.traces)
    if rebuilt.base is None and not any(each.certain for each in rebuilt.sessions):
        near += tuple(each for each in meant_in_words(scope) if not _is_told(each, near))
    steps = of_checkpoint_in_words(notebook) + near + steps
    problems = found.problems + evidence.problems
    present = next(
        (each for each in evidence.documents if each.trace.kind == PresentFinder.kind), None
    )
    if not rebuilt.cells:
        return Nothing(problems, steps)
    if rebuilt.base is None:
        steps = memory_in_words(scope) + steps
    rebuilt = replace(rebuilt, next_steps=steps)
    return Recovery(notebook, found, evidence, rebuilt, problems, present, others, file)


def _is_told(step: str, steps: Iterable[str]) -> bool:
    """Whether one of `steps` ends in the same command."""
    command = step[step.rindex("jupyter rewind ") :]
    return any(each.endswith(command) for each in steps)


def _doubtful_rather_than_none(rebuilt: Rebuilt) -> Rebuilt:
    """Where no cell is likely enough, all that was run: a person sorts it better than loses it."""
    if rebuilt.cells:
        return rebuilt
    cells = tuple(
        RebuiltCell(EvidenceCell("code", each.source), (each.origin,), each.confidence, each.words)
        for each in rebuilt.alternatives
    )
    return replace(rebuilt, cells=cells, alternatives=())


def as_bytes(recovery: Recovery, form: str = "ipynb") -> bytes | bytearray:
    """What was brought back, as a file of this form (ipynb, py or md)."""
    from jupyter_rewind.recovery.formats import to_bytes

    return to_bytes(to_notebook(recovery.rebuilt, recovery.notebook), form)


def refuse_language(recovery: Recovery, form: str) -> None:
    """Raises InvalidInput where `form` is a script of Python, and the notebook is none."""
    language = language_in(recovery.rebuilt.metadata)
    if form == "py" and not is_ipython(language):
        raise InvalidInput(
            f"{recovery.notebook.name} is in {language}, so it was not written as Python.",
            hint="Nothing was changed. Leave --to away, or take --to md.",
        )


def write(recovery: Recovery, output: Path | None = None, form: str = "ipynb") -> Path:
    """Where the notebook now lies: `output`, or a new name beside the lost one.

    Raises Conflict where `output` exists: nothing is ever written over. Raises Storage.
    """
    data = as_bytes(recovery, form)
    if output is None:
        return write_beside(recovery.notebook, f".{form}", data)
    if not write_new(output, data):
        refuse(output, "--output")
    return output


def refuse(target: Path, option: str) -> NoReturn:
    """Raises Conflict: the file exists already."""
    raise Conflict(
        f"{target} exists, and nothing is written over.",
        hint=f"Name another file with {option}; nothing was changed.",
    )


def write_beside(notebook: Path, suffix: str, data: bytes | bytearray) -> Path:
    """A new file NAME.recovered.SUFFIX, or with the next number that is free."""
    for number in range(1, _MOST_NAMES):
        again = f"-{number}" if number > 1 else ""
        target = notebook.with_name(f"{notebook.stem}{RECOVERED}{again}{suffix}")
        if write_new(target, data):
            return target
    raise Conflict(
        f"There are {_MOST_NAMES} recovered notebooks of {notebook.name} already.",
        hint="Name another file with --output; nothing was changed.",
    )


def write_new(target: Path, data: bytes | bytearray, files: Callable[[], Files] = Files) -> bool:
    """Whether `target` is a new file that holds `data`; False where it existed before.

    Only its owner may read it: a history holds more than a notebook shows. Raises Storage.
    """
    if os.path.lexists(target):
        return False
    disk = files()
    try:
        disk.make_folder(target.parent, mode=0o755)
        waiting = disk.write_new(target, memoryview(data), mode=_PRIVATE)
    except Storage as error:
        raise _elsewhere(error, target) from error
    try:
        written = disk.publish(waiting, target)
    finally:
        disk.remove(waiting)
    disk.sync_folder(target.parent)
    return written


def _elsewhere(error: Storage, target: Path) -> Storage:
    """`error` with the name that a person knows, and with what they can do who just lost work."""
    hint = (
        "The traces are as they were. Name a file in another folder, or on another disk:"
        f" --output PATH/{target.name}"
    )
    waiting = re.compile(re.escape(os.path.join(target.parent, ".")) + r"[^/\\]*\.rewind-tmp")
    message = waiting.sub(lambda _: str(target), error.message)
    return type(error)(message, hint=hint, code=error.code, retryable=error.retryable)
