"""Edits not yet saved: Yjs updates in, notebook out.

A draft belongs to a history, so it follows its notebook when that is renamed. Its base is kept with
it, whatever becomes of the checkpoint. Updates may come twice and in any order; a `whole` one holds
all that came before, which goes with the same commit. What was handed over is durable when a call
returns.

Nothing here decides that a draft is worthless: it goes when its edits were saved, when the user
says so, or with its time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    Conflict,
    Format,
    Integrity,
    InvalidInput,
    Newer,
    NotFound,
    Unavailable,
)
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.draft import (
    DRAFT,
    END,
    ENDS,
    FORMAT,
    INLINE_BYTES,
    UPDATE,
    Draft,
    Opening,
    draft_key,
    opening_body,
    read_inline,
    read_opening,
    size_of,
    time_of,
    update_body,
)
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import Digest, DraftId, HistoryId
from jupyter_rewind.notebooks.contents import (
    count_changes,
    cut,
    load_manifest,
    read_notebook,
    store_cut,
)
from jupyter_rewind.notebooks.draftdoc import replay
from jupyter_rewind.notebooks.entries import content_key, history_key
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.partial import ABSENT
from jupyter_rewind.store.transaction import Transaction

log = logging.getLogger(__name__)
MOST_UPDATES = 2000
MOST_BYTES = 64 << 20
_MOST_CANDIDATES = 20
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """What a browser says of the notebook that it edits, to find it again: the sha256 of the file
    where it knows that, the number of cells, and the CRC-32 of all their sources."""

    cells: int
    crc: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class ReadDraft:
    """A draft's notebook as bytes that Jupyter would write; `lost` updates did not read."""

    draft: Draft
    notebook: dict[str, Any]
    raw: bytes
    lost: int


class Drafts:
    """The drafts of one store."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self._repository = histories.repository

    # --- keeping ------------------------------------------------------------------------

    def find_base(self, file: str, claim: Claim, raw: bytes | None) -> Checkpoint:
        """The checkpoint of what a browser has read: the head, where `raw`, the file now, is what
        it claims, or else one of the newest. Raises Conflict (code `unknown_base`), NotFound."""
        found = self._histories.checkpoints(file, newest_first=True)
        if found and raw is not None and self._may_fit(found[0], claim) and _fits(raw, claim):
            return found[0]
        for checkpoint in found[:_MOST_CANDIDATES]:
            if self._may_fit(checkpoint, claim) and self._is(checkpoint, claim):
                return checkpoint
        raise Conflict(
            "What this browser has read of the notebook is neither on disk nor in its history.",
            code="unknown_base",
            hint="Send the whole notebook as the base of the draft.",
        )

    def _is(self, checkpoint: Checkpoint, claim: Claim) -> bool:
        try:
            return _fits(self._histories.read(checkpoint), claim)
        except Unavailable as error:
            # In a replica alone: no draft is to be built on that.
            if error.code != ABSENT:
                raise
            return False

    def _may_fit(self, checkpoint: Checkpoint, claim: Claim) -> bool:
        if checkpoint.kind != "notebook" or (checkpoint.nbformat or (0, 0))[0] != 4:
            return False
        try:
            return len(self._histories.manifest(checkpoint).cells) == claim.cells
        except Integrity:
            # Damage costs this checkpoint; the draft may be an edit of another.
            return False

    def begin(self, opening: Opening, base: Checkpoint | Mapping[str, Any], update: bytes) -> Draft:
        """The draft is kept, with all its edits so far. One that is known already gets the update,
        which is whole, and keeps its base.

        Raises InvalidInput, Storage; Conflict for another notebook's draft.
        """
        _check_size(update)
        with self._repository.transaction() as tx:
            if self._begun(opening.id) is not None:
                self._check_history(opening.id, opening.history)
                self._add_whole(tx, opening.id, update)
            else:
                keys = [draft_key(opening.id), history_key(opening.history)]
                body = opening_body(opening, clock.now_ns())
                tx.add(DRAFT, keys=keys, body=body, roots=[self._put_base(tx, base)])
                _add_update(tx, opening.id, update)
        return self.get(opening.id)

    def _put_base(self, tx: Transaction, base: Checkpoint | Mapping[str, Any]) -> Digest:
        if isinstance(base, Checkpoint):
            return base.manifest
        state = cut(dump_notebook(base))
        if state.kind != "notebook":
            raise InvalidInput("The base of the draft is not a notebook.")
        return store_cut(tx, state)

    def append(self, draft: DraftId, update: bytes, *, whole: bool = False) -> Draft:
        """The update is kept; a `whole` one takes the place of all before it.

        Raises NotFound (code `unknown_draft`), Conflict (code `draft_full`: send a whole one),
        InvalidInput, Storage.
        """
        _check_size(update)
        with self._repository.transaction() as tx:
            now = self._require(draft)
            if whole:
                self._add_whole(tx, draft, update)
            else:
                if now.updates >= MOST_UPDATES or now.size_bytes + len(update) > MOST_BYTES:
                    raise Conflict(
                        f"The draft has {now.updates} updates of {now.size_bytes} bytes.",
                        code="draft_full",
                        hint="Send all of it as one whole update.",
                    )
                _add_update(tx, draft, update)
            if now.ended:
                tx.expire(one.id for one in self._entries(draft, END))
        return self.get(draft)

    def _add_whole(self, tx: Transaction, draft: DraftId, update: bytes) -> None:
        before = [one.id for one in self._entries(draft, UPDATE)]
        _add_update(tx, draft, update)
        tx.expire(before)

    def end(self, draft: DraftId, how: str) -> Draft:
        """Nobody writes the draft any more. Raises NotFound, InvalidInput, Storage."""
        if how not in ENDS:
            raise InvalidInput(f"A draft ends in one of these ways: {', '.join(ENDS)}.")
        with self._repository.transaction() as tx:
            self._require(draft)
            body: dict[str, Json] = {"format": FORMAT, "time_ns": clock.now_ns(), "how": how}
            tx.add(END, keys=[draft_key(draft)], body=body)
        return self.get(draft)

    def discard(self, draft: DraftId) -> None:
        """The draft is gone. Raises NotFound, Storage."""
        with self._repository.transaction() as tx:
            entries = self._repository.entries(key=draft_key(draft))
            if not entries:
                raise _unknown(draft)
            tx.expire(entry.id for entry in entries)

    def expire(self, days: int, now_ns: int | None = None) -> list[DraftId]:
        """The drafts that nobody wrote to for so many days (up to `now_ns`) are gone; which.

        Raises Storage."""
        oldest = (clock.now_ns() if now_ns is None else now_ns) - days * _DAY_NS
        gone = [one for one in self.all() if one.changed_ns < oldest]
        for draft in gone:
            try:
                self.discard(draft.id)
            except NotFound:
                # Another process was quicker.
                continue
        return [draft.id for draft in gone]

    # --- looking ------------------------------------------------------------------------

    def get(self, draft: DraftId) -> Draft:
        """Raises NotFound (code `unknown_draft`), Integrity, Newer."""
        self._repository.refresh()
        return self._require(draft)

    def of(self, file: str) -> list[Draft]:
        """The drafts of a notebook, the newest first; none where it has no history."""
        self._repository.refresh()
        try:
            history = self._histories.history(file)
        except NotFound:
            return []
        return self._read_all(self._repository.entries(kind=DRAFT, key=history_key(history)))

    def all(self) -> list[Draft]:
        """Every draft of the store, the newest first."""
        self._repository.refresh()
        return self._read_all(self._repository.entries(kind=DRAFT))

    def read(self, draft: DraftId) -> ReadDraft:
        """The notebook with the draft's edits. Raises NotFound, Integrity, Newer."""
        known = self.get(draft)
        found = [self._update(entry) for entry in self._entries(draft, UPDATE)]
        try:
            base = read_notebook(self._repository, known.base)
        except (Integrity, NotFound, Format) as error:
            raise Integrity(
                f"The draft of {known.path} cannot be read: {error.message}",
                hint="Its notebook and the checkpoints are not affected;"
                " `jupyter rewind verify` tells more.",
            ) from error
        done = replay(base, [update for update in found if update is not None])
        raw = dump_notebook(done.notebook)
        return ReadDraft(known, done.notebook, raw, done.lost + found.count(None))

    def is_saved(self, found: ReadDraft) -> bool:
        """Whether the draft holds nothing that is not in a checkpoint of its notebook."""
        state = cut(found.raw)
        saved = self._repository.latest(kinds=["checkpoint"], key=content_key(state.identity))
        return saved is not None and history_key(found.draft.history) in saved.keys

    def count_changes(self, found: ReadDraft) -> int:
        """How many cells the draft adds, changes and removes."""
        counts = count_changes(load_manifest(self._repository, found.draft.base), cut(found.raw))
        return counts.added + counts.changed + counts.removed

    # --- inside -------------------------------------------------------------------------

    def _update(self, entry: Entry) -> bytes | None:
        """The update; None where it is damaged, which costs that one."""
        try:
            inline = read_inline(entry)
            return self._repository.get_blob(entry.roots) if inline is None else inline
        except (Integrity, NotFound):
            return None

    def _entries(self, draft: DraftId, kind: str) -> list[Entry]:
        return self._repository.entries(kind=kind, key=draft_key(draft))

    def _begun(self, draft: DraftId) -> Entry | None:
        return self._repository.latest(kinds=[DRAFT], key=draft_key(draft))

    def _check_history(self, draft: DraftId, history: HistoryId) -> None:
        if self._require(draft).history != history:
            raise Conflict(f"The draft {draft} belongs to another notebook.")

    def _require(self, draft: DraftId) -> Draft:
        begun = self._begun(draft)
        if begun is None:
            raise _unknown(draft)
        return self._read(begun)

    def _read_all(self, entries: list[Entry]) -> list[Draft]:
        found = []
        for entry in entries:
            try:
                found.append(self._read(entry))
            except (Integrity, Newer) as error:
                # It costs itself alone.
                log.warning("%s", error)
        return sorted(found, key=lambda one: (one.changed_ns, one.id), reverse=True)

    def _read(self, entry: Entry) -> Draft:
        opening, base, begun_ns = read_opening(entry)
        updates = self._entries(opening.id, UPDATE)
        ends = self._entries(opening.id, END)
        place = self._histories.bindings.place(opening.history)
        last = max((time_of(one) for one in updates), default=begun_ns)
        return Draft(
            id=opening.id,
            history=opening.history,
            path=place.path if place else "",
            base=base,
            checkpoint=opening.checkpoint,
            begun_ns=begun_ns,
            changed_ns=last,
            author=opening.author,
            browser=opening.browser,
            updates=len(updates),
            size_bytes=sum(map(size_of, updates)),
            ended=str(ends[-1].body.get("how", "")) if ends else "",
        )


def dump_notebook(notebook: Mapping[str, Any]) -> bytes:
    """The bytes that Jupyter writes for a notebook."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    return (text + "\n").encode("utf-8", "surrogatepass")


def claim_of(raw: bytes, *, with_hash: bool = True) -> Claim:
    """What a browser that has read these bytes would claim. Raises Format for no notebook."""
    try:
        cells = json.loads(raw)["cells"]
        text = "".join(_joined(cell["source"]) for cell in cells)
    except (ValueError, LookupError, TypeError) as error:
        raise Format("This is no notebook of nbformat 4.") from error
    # Half a surrogate pair reaches us as a browser sends it: replaced.
    data = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return Claim(len(cells), zlib.crc32(data), hashlib.sha256(raw).hexdigest() if with_hash else "")


def _joined(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def _fits(raw: bytes, claim: Claim) -> bool:
    if claim.sha256 and hashlib.sha256(raw).hexdigest() == claim.sha256:
        return True
    try:
        told = claim_of(raw, with_hash=False)
    except Format:
        return False
    return (told.cells, told.crc) == (claim.cells, claim.crc)


def _add_update(tx: Transaction, draft: DraftId, update: bytes) -> None:
    body = update_body(update, clock.now_ns())
    roots = tx.put(update) if len(update) > INLINE_BYTES else ()
    tx.add(UPDATE, keys=[draft_key(draft)], body=body, roots=roots)


def _check_size(update: bytes) -> None:
    if not update:
        raise InvalidInput("The update is empty.")
    if len(update) > MOST_BYTES:
        raise InvalidInput(
            f"The unsaved edits are {len(update) >> 20} MB large and are not kept as a draft.",
            hint=f"Up to {MOST_BYTES >> 20} MB are. Save the notebook.",
        )


def _unknown(draft: DraftId) -> NotFound:
    return NotFound(
        f"There is no draft {draft}.",
        code="unknown_draft",
        hint="It was saved or discarded, or its time was over.",
    )
