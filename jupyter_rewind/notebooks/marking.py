"""What is said of a checkpoint after it was made: labels, pins, a stronger reason."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jupyter_rewind.errors import Conflict, Integrity, InvalidInput, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint, Reason
from jupyter_rewind.model.entry import Json
from jupyter_rewind.model.ids import CheckpointId, Digest
from jupyter_rewind.model.reference import SHORTEST_PREFIX, check_label
from jupyter_rewind.notebooks.contents import Manifest
from jupyter_rewind.notebooks.entries import MARK, history_key, mark_key
from jupyter_rewind.notebooks.reading import HistoryReader, naming
from jupyter_rewind.store.partial import may_lack
from jupyter_rewind.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Labelled:
    """A checkpoint with its new name, and the one that had the name before, as it is now."""

    checkpoint: Checkpoint
    moved_from: Checkpoint | None = None


def parts_of(checkpoint: Checkpoint, manifest: Manifest) -> set[Digest]:
    """All content that the checkpoint is read from."""
    parts = {checkpoint.manifest, *manifest.first, *manifest.last}
    for cell in manifest.cells:
        parts.update(cell.template, *(names for _, names in cell.payloads))
    return parts


class HistoryMarker(HistoryReader):
    """The marking part of `Histories`."""

    def label(self, checkpoint: Checkpoint, text: str, *, move: bool = True) -> Labelled:
        """The checkpoint has this name as well, and never expires while it has one.

        A label names one checkpoint of a history: another that had it loses it, or keeps it where
        it shall not `move`. Raises InvalidInput, NotFound (expired meanwhile), Conflict (kept),
        Unavailable (its contents are in a replica alone, which does not answer).
        """
        label = check_label(text)
        parts = self._bring(checkpoint)
        with self.repository.transaction() as tx:
            tx.require(parts)
            return self._give_label(tx, self._present(checkpoint), label, move)

    def _give_label(
        self, tx: Transaction, checkpoint: Checkpoint, label: str, move: bool = True
    ) -> Labelled:
        moved = None
        for other in self.checkpoints_of(checkpoint.history):
            if other.id.startswith(label.lower()) and len(label) >= SHORTEST_PREFIX:
                raise InvalidInput(
                    f'"{label}" means checkpoint {other.id} already.',
                    hint="Choose other words for the label.",
                )
            if label in other.labels and other.id != checkpoint.id:
                if not move:
                    raise Conflict(
                        f'Checkpoint {other.id} of {other.path} has the label "{label}".',
                        hint="It keeps it. Choose another label.",
                    )
                rest = tuple(one for one in other.labels if one != label)
                moved = self._mark(tx, other, {"unlabel": label}, other.pinned, rest)
        if label in checkpoint.labels:
            return Labelled(checkpoint, moved)
        labels = (*checkpoint.labels, label)
        named = self._mark(tx, checkpoint, {"label": label}, checkpoint.pinned, labels)
        return Labelled(named, moved)

    def unlabel(self, checkpoint: Checkpoint, text: str) -> Checkpoint:
        """The checkpoint has this name no more. Raises NotFound."""
        text = text.strip()  # as `label` took it
        with self.repository.transaction() as tx:
            now = self._present(checkpoint)
            if text not in now.labels:
                raise NotFound(f'Checkpoint {now.id} of {now.path} has no label "{text}".')
            rest = tuple(one for one in now.labels if one != text)
            return self._mark(tx, now, {"unlabel": text}, now.pinned, rest)

    def pin(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint never expires. Raises NotFound; Unavailable as `label` does."""
        return self._set_pin(checkpoint, True)

    def unpin(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint expires as others do."""
        return self._set_pin(checkpoint, False)

    def _set_pin(self, checkpoint: Checkpoint, pinned: bool) -> Checkpoint:
        parts = self._bring(checkpoint) if pinned else []
        with self.repository.transaction() as tx:
            tx.require(parts)
            now = self._present(checkpoint)
            if now.pinned == pinned:
                return now
            return self._mark(tx, now, {"pin": pinned}, pinned, now.labels)

    def _bring(self, checkpoint: Checkpoint) -> list[Digest]:
        """What a mark that keeps the checkpoint is to find here, where a store may lack contents:
        of what is in a replica alone, nobody here can say that it never goes. Before others wait.
        """
        if not may_lack(self.repository.layout):
            return []
        try:
            parts = list(parts_of(checkpoint, self.manifest(checkpoint)))
            with naming(checkpoint):
                self.repository.bring(parts)
        except Integrity:
            # What is damaged cannot be brought. Whoever reads it hears of that.
            return []
        return parts

    def _strengthen(
        self, tx: Transaction, checkpoint: Checkpoint, reason: Reason, label: str | None
    ) -> Labelled:
        """The checkpoint, of which this reason and label are said if they say more."""
        if reason.says_more_than(checkpoint.reason):
            self._mark(tx, checkpoint, {"reason": str(reason)})
            checkpoint = replace(checkpoint, reason=reason)
        return Labelled(checkpoint) if label is None else self._give_label(tx, checkpoint, label)

    def _correct(
        self,
        tx: Transaction,
        checkpoint: Checkpoint,
        reason: Reason,
        author: str,
        parent: CheckpointId | None,
    ) -> Checkpoint:
        """The checkpoint, of which something else is said to be how it came to be."""
        said: dict[str, Json] = {"reason": str(reason)}
        if author != checkpoint.author:
            said["a"] = author
        if parent is not None:
            said["b"] = parent
        self._mark(tx, checkpoint, said)
        parent = parent or checkpoint.parent
        return replace(checkpoint, reason=reason, author=author, parent=parent)

    def _mark(
        self,
        tx: Transaction,
        checkpoint: Checkpoint,
        said: dict[str, Json],
        pinned: bool | None = None,
        labels: tuple[str, ...] | None = None,
    ) -> Checkpoint:
        keys = [history_key(checkpoint.history), mark_key(checkpoint.id)]
        tx.add(MARK, keys=keys, body={"c": checkpoint.id, **said})
        return replace(
            checkpoint,
            pinned=checkpoint.pinned if pinned is None else pinned,
            labels=checkpoint.labels if labels is None else labels,
        )
