"""One checkpoint: what it is, what it holds, how it differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.errors import InvalidInput, NotFound
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.desk import decode_file
from jupyter_rewind.faces.server.handlers.base import RewindHandler, text_of
from jupyter_rewind.faces.server.reading import take_present
from jupyter_rewind.faces.server.recorder import Recorder
from jupyter_rewind.faces.server.rendering import render_checkpoint, render_labelled
from jupyter_rewind.faces.server.restoring import read_live

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Workspace

PRESENT = "present"


class CheckpointHandler(RewindHandler):
    """GET one checkpoint, POST a new one, DELETE one that nothing protects."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        _, file = await self.query_file()
        ref = self.query("ref")
        self.answer(
            await self.view(
                file,
                lambda workspace: render_checkpoint(
                    workspace.histories.told(workspace.resolve(file, ref))
                ),
            )
        )

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        path, file = await self.body_file(body)
        label = text_of(body, "label", "") or None
        service = self.service
        live = await read_live(service, path)
        made = await self.wait(
            service.desk.create(file, live=live, author=request.current_author(), label=label)
        )
        self.answer(render_labelled(made.checkpoint, made.moved_from), 201)

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        _, file = await self.query_file()
        checkpoint_id = self.query("ref")
        found = await self.view(file, lambda workspace: workspace.resolve(file, checkpoint_id).id)
        await self.wait(self.service.desk.delete_checkpoint(file, found))
        self.set_status(204)
        self.finish()


class ContentHandler(RewindHandler):
    """GET what a checkpoint holds: as JSON, or its very bytes."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        _, file = await self.query_file()
        ref, form = self.query("ref"), self.query("format", "json")
        if form not in ("json", "raw"):
            raise InvalidInput("format must be json or raw.")
        as_notebook = form == "json"

        def act(workspace: Workspace) -> tuple[Any, bytes, Any]:
            checkpoint = workspace.resolve(file, ref)
            if as_notebook and checkpoint.kind == "notebook":
                return checkpoint, b"", workspace.histories.notebook(checkpoint)
            return checkpoint, workspace.histories.read(checkpoint), None

        checkpoint, raw, notebook = await self.view(file, act)
        # What is kept is data: a browser must not run it as a page of this server.
        self.set_header("Content-Disposition", "attachment")
        if form == "raw":
            self.set_header("Cache-Control", "no-store")
            self.set_header("X-Content-Type-Options", "nosniff")
            self.finish(raw, set_content_type="application/octet-stream")
            return
        if notebook is not None:
            content, file_format = notebook, "json"
        else:
            content, file_format = decode_file(raw)
        self.answer(
            {
                "checkpoint": render_checkpoint(checkpoint),
                "type": checkpoint.kind,
                "format": file_format,
                "content": content,
            }
        )


class DiffHandler(RewindHandler):
    """What changed between two checkpoints, or since one, in nbdime's format: GET up to the file on
    disk, POST up to what somebody has open."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        path, file = await self.query_file()
        base, remote = self.query("base"), self.query("remote", PRESENT)
        with_notebook = self.query_flag("notebook")
        recorder = self.service.recorder

        def act(workspace: Workspace) -> dict[str, Any]:
            before, after = (
                load_side(workspace, recorder, path, file, ref) for ref in (base, remote)
            )
            found = workspace.compare(before[1], after[1], (base, remote))
            answer = {
                "base": before[0],
                "remote": after[0],
                "differs": found.differs,
                "diff": found.operations,
                "text": found.text,
            }
            return answer | ({"notebook": found.as_read()} if with_notebook else {})

        await self.compare(file, act)

    @web.authenticated
    # Nothing changes by it. With arguments, Jupyter does not say what it decorates.
    @authorized("read")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        body = self.body()
        path, file = await self.body_file(body)
        base, content = text_of(body, "base"), body.get("content")
        recorder = self.service.recorder

        def act(workspace: Workspace) -> dict[str, Any]:
            after = _open_bytes(content)
            checkpoint, before = load_side(workspace, recorder, path, file, base)
            found = workspace.compare(before, after, (base, "open"))
            return {
                "base": checkpoint,
                "remote": None,
                "differs": found.differs,
                "diff": found.operations,
                "text": found.text,
                "notebook": found.as_read(),
            }

        await self.compare(file, act)


def _open_bytes(content: object) -> bytes:
    """What a save would write of an open document. Raises InvalidInput."""
    if isinstance(content, str):
        return content.encode(errors="surrogatepass")
    if not isinstance(content, dict):
        raise InvalidInput("content must be a notebook or a text.")
    cells = content.get("cells", [])
    if not isinstance(cells, list):
        raise InvalidInput("The cells of content must be a list.")
    for cell in cells:
        # Whether its outputs may run is for each browser to say, and stands in no file.
        if isinstance(cell, dict) and isinstance(cell.get("metadata"), dict):
            cell["metadata"].pop("trusted", None)
    return json.dumps(content).encode()


def load_side(
    workspace: Workspace, recorder: Recorder, path: str, file: str, ref: str
) -> tuple[dict[str, Any] | None, bytes]:
    """One side of a diff: the checkpoint (None for the file on disk) and the bytes."""
    if ref != PRESENT:
        checkpoint = workspace.resolve(file, ref)
        return render_checkpoint(checkpoint), workspace.read(checkpoint)
    raw = take_present(recorder.readings.open(file), path)
    if raw is None:
        raise NotFound(f"{path} is not on disk.", hint="Compare two checkpoints instead.")
    return None, raw
