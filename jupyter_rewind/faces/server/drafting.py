"""What a browser asks about its drafts, in the words of the workspace."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import InvalidInput, NotFound
from jupyter_rewind.faces.server.rendering import moment_text
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.draft import Draft, Opening, check_draft_id
from jupyter_rewind.workspace import Claim

if TYPE_CHECKING:
    from jupyter_rewind.faces.server.reading import Reading
    from jupyter_rewind.faces.server.recorder import Recorder
    from jupyter_rewind.model.ids import DraftId
    from jupyter_rewind.workspace import ReadDraft, Workspace


def decode_update(body: Mapping[str, Any]) -> bytes:
    """The Yjs update in a body. Raises InvalidInput."""
    try:
        return base64.b64decode(body.get("update", ""), validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise InvalidInput("update must be a Yjs update in base64.") from error


def read_claim(body: Mapping[str, Any]) -> Claim | None:
    """What the browser says of the file that it has read. Raises InvalidInput."""
    told = body.get("base")
    if told is None:
        return None
    if not isinstance(told, dict):
        raise InvalidInput("base must be an object.")
    cells, crc, sha256 = told.get("cells"), told.get("crc"), told.get("sha256", "")
    if not (isinstance(cells, int) and isinstance(crc, int) and isinstance(sha256, str)):
        raise InvalidInput("base needs cells and crc, whole numbers; sha256 is a text.")
    return Claim(cells, crc, sha256)


def begin_draft(
    workspace: Workspace,
    recorder: Recorder,
    file: str,
    body: Mapping[str, Any],
    reading: Reading,
    author: str,
) -> Draft:
    """The draft has begun: upon the file as the browser has read it, or upon the notebook that it
    sends along. In our threads. Raises Conflict (`unknown_base`), NotFound, Storage."""
    raw = None
    try:
        since = workspace.histories.glance(file)
        recorder.keep(workspace, file, reading, Reason.EXTERNAL_CHANGE, since=since)
        raw = reading.take()
    except NotFound:
        # Deleted under the browser: its history is still there, or raises what it is.
        pass
    claim, content = read_claim(body), body.get("content")
    if isinstance(content, dict):
        base: Any = content
        checkpoint = None
    elif claim is not None:
        base = workspace.drafts.find_base(file, claim, raw)
        checkpoint = base.id
    else:
        raise InvalidInput("A draft begins with its base, or the content of it.")
    opening = Opening(
        _draft_id(body), workspace.histories.history(file), checkpoint, author, _browser(body)
    )
    return workspace.drafts.begin(opening, base, decode_update(body))


def _draft_id(body: Mapping[str, Any]) -> DraftId:
    return check_draft_id(str(body.get("draft", "")))


def _browser(body: Mapping[str, Any]) -> str:
    return str(body.get("browser", ""))[:64]


def require_draft(workspace: Workspace, file: str, name: str) -> Draft:
    """The draft of this file with this name. Raises NotFound, also for another file's."""
    draft = workspace.drafts.get(check_draft_id(name))
    if draft.history != workspace.histories.history(file):
        raise NotFound(f"There is no draft {name} of this notebook.", code="unknown_draft")
    return draft


def render_draft(draft: Draft, path: str) -> dict[str, Any]:
    """A draft in an answer."""
    return {
        "draft": draft.id,
        "path": path,
        "checkpoint": draft.checkpoint,
        "begun": moment_text(draft.begun_ns),
        "changed": moment_text(draft.changed_ns),
        "author": draft.author,
        "browser": draft.browser,
        "updates": draft.updates,
        "size_bytes": draft.size_bytes,
        "ended": draft.ended,
    }


def render_notebook(found: ReadDraft) -> dict[str, Any]:
    """The draft's notebook as the contents service sends one: each text in one piece."""
    import nbformat
    from nbformat.v4.rwbase import rejoin_lines

    return dict(rejoin_lines(nbformat.from_dict(found.notebook)))
