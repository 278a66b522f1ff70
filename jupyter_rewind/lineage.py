"""The runs of a notebook, also those under its earlier names.

Between the rooms: a history knows where its notebook lay, a run at which path it worked. Light, as
a kernel that has just begun looks here for the one before it.
"""

from __future__ import annotations

from jupyter_rewind.kernels.archive import Archive
from jupyter_rewind.model.execution import Run
from jupyter_rewind.notebooks.bindings import Bindings


def runs_of_notebook(archive: Archive, path: str, bindings: Bindings | None = None) -> list[Run]:
    """The runs of the notebook at `path` (real), oldest first; none of another notebook that lay
    there and was renamed. The caller has refreshed the repository."""
    runs, bindings = archive.runs, bindings or Bindings(archive.repository)
    others = bindings.stays_of_others(path)
    found = {
        run.id: run
        for run in runs.of_paths([path])
        if not any(stay.since <= run.started_ns < stay.until for stay in others)
    }
    history = bindings.current(path)
    for place in () if history is None else bindings.stays(history):
        for run in runs.of_paths([place.path]):
            if place.since <= run.started_ns < place.until:
                found[run.id] = run
    return sorted(found.values(), key=lambda run: (run.started_ns, run.id))
