"""Which address is answered by whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jupyter_rewind.faces.server.handlers import (
    drafts,
    histories,
    images,
    jusnap,
    kernels,
    marks,
    outputs,
    ran,
    recovery,
    restoring,
    search,
    states,
    status,
)

if TYPE_CHECKING:
    from jupyter_rewind.faces.server.app import RewindExtension
    from jupyter_rewind.faces.server.handlers.base import RewindHandler

PREFIX = "/rewind/api/v1"

HANDLERS: dict[str, type[RewindHandler]] = {
    "/history": histories.HistoryHandler,
    "/deleted": histories.DeletedHandler,
    "/checkpoint": states.CheckpointHandler,
    "/content": states.ContentHandler,
    "/diff": states.DiffHandler,
    "/labels": marks.LabelsHandler,
    "/pins": marks.PinsHandler,
    "/drafts": drafts.DraftsHandler,
    "/drafts/{draft}": drafts.DraftHandler,
    "/drafts/{draft}/diff": drafts.DraftDiffHandler,
    "/restore": restoring.RestoreHandler,
    "/undelete": restoring.UndeleteHandler,
    "/recover": recovery.RecoverHandler,
    "/recover/preview": recovery.RecoverPreviewHandler,
    "/kernels": kernels.KernelsHandler,
    "/kernels/resumable": kernels.ResumableHandler,
    "/kernels/{kernel}/snapshots": kernels.SnapshotsHandler,
    "/kernels/{kernel}/snapshots/{snapshot}": kernels.SnapshotHandler,
    "/kernels/{kernel}/snapshots/{snapshot}/restore": kernels.SnapshotRestoreHandler,
    "/kernels/{kernel}/variables": ran.VariablesHandler,
    "/kernels/{kernel}/undo": kernels.SnapshotUndoHandler,
    "/kernels/{kernel}/diff": kernels.SnapshotDiffHandler,
    "/kernels/{kernel}/images": images.ImagesHandler,
    "/kernels/{kernel}/images/{image}": images.ImageHandler,
    "/kernels/{kernel}/images/{image}/labels": images.ImageLabelsHandler,
    "/kernels/{kernel}/images/{image}/restore": images.ImageRestoreHandler,
    "/images": images.AllImagesHandler,
    "/executions": ran.ExecutionsHandler,
    "/snapshots": ran.NotebookSnapshotsHandler,
    "/snapshots/{snapshot}": ran.NotebookSnapshotHandler,
    "/snapshots/{snapshot}/diff": ran.NotebookSnapshotDiffHandler,
    "/outputs": outputs.OutputsHandler,
    "/search": search.SearchHandler,
    "/stats": status.StatsHandler,
    "/health": status.HealthHandler,
    "/openapi.yaml": status.OpenapiHandler,
}


def routes(extension: RewindExtension) -> list[tuple[str, type[RewindHandler]]]:
    """The routes that the extension serves, below the server's base address."""
    served = [(PREFIX + _pattern(path), kind) for path, kind in HANDLERS.items()]
    if extension.rewind is not None and extension.rewind.jusnap_api:
        served += jusnap.ROUTES
    return [*served, (PREFIX + "(?:/.*)?", status.UnknownHandler)]


def _pattern(path: str) -> str:
    """What tornado matches: each name in braces stands for one part of the address."""
    return re.sub(r"\{\w+\}", "([^/]+)", path.replace(".", r"\."))
