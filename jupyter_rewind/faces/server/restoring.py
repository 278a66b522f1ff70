"""Going back to an earlier state, while others may be typing into the same document."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from jupyter_rewind.errors import RestoreRefused, RewindError
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.collaboration import read_live_document, reload_live_document
from jupyter_rewind.faces.server.service import Service

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Restored

_ATTEMPTS = 4


async def restore_file(
    service: Service,
    path: str,
    ref: str,
    *,
    cells: tuple[str, ...] = (),
    output: str | None = None,
) -> Restored:
    """The restored state of `path`, with the file's and the live document's present kept first.

    What is typed into a live document while the file is being swapped is kept as well, up to the
    moment at which the document reads the file again. Raises what restoring raises.
    """
    file, author, log = service.paths.file(path), request.current_author(), service.log
    target = service.paths.file(output) if output else None
    for attempt in range(_ATTEMPTS):
        live = await read_live(service, path)
        try:
            restored = await asyncio.wrap_future(
                service.desk.restore(
                    file, ref, cells=cells, output=target, live=live, author=author
                )
            )
            break
        except RestoreRefused as refusal:
            # The live document was just saved: look again at what there is to keep.
            if not refusal.retryable or attempt == _ATTEMPTS - 1:
                raise
    if live is not None and not output:
        late = await read_live(service, path)
        if late is not None and late != live:
            try:
                await asyncio.wrap_future(service.desk.keep_live(file, late, author))
            except RewindError as error:
                error.message = (
                    f"{path} was restored, but what was typed into it meanwhile was not kept:"
                    f" {error.message}"
                )
                error.is_done = True
                raise
        try:
            await reload_live_document(service.server, path.strip("/"))
        except Exception:
            log.warning("The live document of %s follows at the next poll.", path, exc_info=True)
    return restored


async def read_live(service: Service, path: str) -> bytes | None:
    """What the live document of `path` holds; None without one. A fault is noted, not raised."""
    try:
        return await read_live_document(service.server, path.strip("/"))
    except Exception as error:
        service.recorder.note_failure(
            "Could not read the live document of %s: %r", path, error, error=error
        )
        return None
