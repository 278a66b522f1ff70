"""The composition root: opens the store, wires the rooms, and is all that the faces see of them.

One method a verb. Paths come as users write them; histories go by absolute ones, links followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_rewind.model.checkpoint import STOCK_FOLDER, Checkpoint, HistoryInfo, Reason
from jupyter_rewind.model.ids import DraftId, EntryId, SnapshotId
from jupyter_rewind.model.retention import Policy
from jupyter_rewind.notebooks import documents, exchange, faults
from jupyter_rewind.notebooks.condition import Condition
from jupyter_rewind.notebooks.documents import Restored, document_path, identify_open
from jupyter_rewind.notebooks.drafts import Claim, Drafts, ReadDraft, claim_of
from jupyter_rewind.notebooks.exchange import Exported, Imported
from jupyter_rewind.notebooks.expiry import ExpiryPlan, HistoryPlan
from jupyter_rewind.notebooks.files import check_writable, is_file_there
from jupyter_rewind.notebooks.history import Histories, Recorded, name_entries
from jupyter_rewind.notebooks.leftovers import find_leftovers
from jupyter_rewind.notebooks.losses import Listing
from jupyter_rewind.notebooks.marking import Labelled
from jupyter_rewind.notebooks.moves import file_of, follow_file, key_of, telling_links
from jupyter_rewind.notebooks.reading import Glance
from jupyter_rewind.notebooks.search import Found
from jupyter_rewind.notebooks.stock import (
    find_stocked,
    has_stock,
    keep_stock,
    read_stock,
    take_stock_checkpoint,
    with_stock,
)
from jupyter_rewind.notebooks.watching import Seen, Watcher, find_notebooks
from jupyter_rewind.store.calendar import count_time
from jupyter_rewind.store.disks import is_network
from jupyter_rewind.store.durable import free_bytes
from jupyter_rewind.store.health import StoreHealth, telling_place
from jupyter_rewind.store.health import examine as store_health
from jupyter_rewind.store.preferences import set_value, unset_value
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.spare import hold_spare
from jupyter_rewind.store.turn import lane_lock, take_turn

if TYPE_CHECKING:
    from jupyter_rewind.notebooks.diff import Comparison
    from jupyter_rewind.notebooks.sizes import NotebookSize
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.store.upkeep import (
        CollectReport,
        Damage,
        Progress,
        SalvageReport,
        StoreStats,
        VerifyReport,
    )

__all__ = [
    "Claim", "CollectReport", "Condition", "Damage", "Drafts", "ExpiryPlan", "Exported", "Found",
    "Glance", "HistoryInfo", "HistoryPlan", "Imported", "Labelled", "Listing", "NotebookSize",
    "ReadDraft", "Recorded", "Restored", "SalvageReport", "Seen", "StoreHealth", "StoreStats",
    "UpkeepRound", "VerifyReport", "Watcher", "Workspace", "check_writable", "claim_of",
    "document_path", "find_leftovers", "find_notebooks", "find_stocked", "follow_file",
    "free_bytes", "has_stock", "identify_open", "is_network", "keep_stock", "lane_lock",
    "read_stock", "salvage", "set_value", "store_health", "unset_value", "with_stock",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class UpkeepRound:
    """What one round of upkeep did."""

    expired: tuple[Checkpoint, ...]
    collected: CollectReport


class Workspace:
    """An open store with its rooms. Use it as a context manager, or close it."""

    def __init__(self, settings: Rewind, repository: Repository) -> None:
        self.settings = settings
        self.repository = repository
        self.histories = Histories(repository)
        self.drafts = Drafts(self.histories)

    @classmethod
    def open(cls, settings: Rewind, *, create: bool = True) -> Workspace:
        """The store that the settings name, made first where there is none and `create` says so.

        Raises NotFound (no store yet), Denied, Integrity, Newer, Format, Storage.
        """
        index, folder = settings.store_index_path, Path(settings.store_path).expanduser()
        with telling_place(folder, keys := Path(settings.store_key_folder).expanduser()):
            repository = Repository.open(
                folder,
                key_folder=keys,
                index_path=Path(index).expanduser() if index else None,
                create=create, encrypt=settings.store_encrypt,
                durability=settings.store_durability,
            )  # fmt: skip
        if create:
            hold_spare(repository.layout, repository.files)
        return cls(settings, repository)

    def close(self) -> None:
        """Nothing of the store is held any more."""
        self.repository.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- looking ------------------------------------------------------------------------

    def key(self, path: str, *, to_write: bool = False) -> str:
        """What the history of `path`, or the one with this id, is asked for by, as far as others
        stored it until now. A file that was moved here outside Jupyter has its history by then."""
        return key_of(self.histories, path, self._cap, to_write=to_write)

    def overview(self, path: str) -> HistoryInfo:
        """What there is of a notebook's history. Raises NotFound."""
        with telling_links(self.histories, path):
            return self.histories.overview(self.key(path))

    def checkpoints(self, path: str, *, newest_first: bool = False) -> list[Checkpoint]:
        """All checkpoints of a notebook. Raises NotFound, Integrity."""
        return self.histories.checkpoints(self.key(path), newest_first=newest_first)

    def listing(self, path: str, *, newest_first: bool = False) -> Listing:
        """All checkpoints of a notebook, and which of them cannot be read. Raises NotFound,
        Integrity, Storage."""
        return self.histories.listing(self.key(path), newest_first=newest_first)

    def resolve(self, path: str, ref: str) -> Checkpoint:
        """The checkpoint that `ref` names. Raises NotFound, Conflict, InvalidInput."""
        with telling_links(self.histories, path):
            return self.histories.resolve(self.key(path), ref)

    def read(self, checkpoint: Checkpoint) -> bytes:
        """The very bytes that were saved. Raises Integrity."""
        return self.histories.read(checkpoint)

    def notebook(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """The notebook as a JSON object. Raises Integrity, Format."""
        return self.histories.notebook(checkpoint)

    def diff(self, path: str, ref: str = "head", other: str | None = None) -> Comparison:
        """What changed from `ref` to `other`, or to the file as it is now."""
        before = self.resolve(path, ref)
        names = [f"{path} at {ref}", f"{path} at {other}" if other else f"{path} now"]
        if other is not None:
            after = self.read(self.resolve(path, other))
        else:
            after = documents.read_document(file_of(self.histories, path)).raw
        return self.compare(self.read(before), after, (names[0], names[1]))

    def compare(self, before: bytes, after: bytes, names: tuple[str, str]) -> Comparison:
        """What changed between two states given by their bytes."""
        from jupyter_rewind.notebooks.diff import compare

        return compare(before, after, names)

    def search(self, path: str, text: str, *, regex: bool = False) -> Found:
        """The lines of all checkpoints that hold `text`. Raises InvalidInput, NotFound."""
        from jupyter_rewind.notebooks.search import search

        return search(self.histories, self.key(path), text, regex=regex)

    def all(self) -> list[HistoryInfo]:
        """Every history of the store."""
        return self.histories.all()

    def deleted(self) -> list[HistoryInfo]:
        """The histories whose file is gone, deleted in Jupyter or elsewhere."""
        return self.histories.deleted(_is_there)

    def condition(self, raw: bytes, path: str) -> Condition:
        """The condition of the notebook `path`, whose file holds `raw`."""
        return faults.judge_opening(raw, os.path.basename(path))

    def last_good(self, path: str) -> Checkpoint | None:
        """The newest checkpoint of `path` that Jupyter opens and that has cells."""
        return documents.find_last_good(self.histories, self.key(path))

    # --- changing -----------------------------------------------------------------------

    def checkpoint(
        self,
        path: str,
        *,
        label: str | None = None,
        reason: Reason = Reason.MANUAL,
        author: str | None = None,
    ) -> Recorded:
        """The file's present state is a checkpoint.

        Raises NotFound, Denied, Storage, InvalidInput (a file above the limit of the settings).
        """
        place = document_path(path)
        self.take_stock_checkpoint(place)
        return documents.checkpoint_document(
            self.histories,
            place,
            reason=reason,
            author=author,
            label=label,
            max_bytes=self._cap,
        )

    def take_stock_checkpoint(self, path: str | Path, folder: str = STOCK_FOLDER) -> bool:
        """True when the checkpoint that stock Jupyter left in `folder` began the file's history."""
        return take_stock_checkpoint(self.histories, Path(path), folder=folder, max_bytes=self._cap)

    def restore(
        self,
        path: str,
        ref: str,
        *,
        cells: Sequence[str] = (),
        output: str | Path | None = None,
        present: bytes | None = None,
        author: str | None = None,
    ) -> Restored:
        """The file holds the state `ref`; what it held is kept first. See `documents`."""
        return documents.restore_document(
            self.histories,
            documents.place_to_restore(self.histories, self.key(path, to_write=not output), output),
            ref,
            cells=cells,
            output=document_path(output) if output is not None else None,
            present=present,
            author=author,
        )

    def undelete(
        self, path: str, *, output: str | Path | None = None, author: str | None = None
    ) -> Restored:
        """A deleted notebook is a file again, with its history. See `documents`."""
        return documents.undelete_document(
            self.histories,
            self.histories.name_deleted(self.key(path)),
            output=document_path(output) if output is not None else None,
            author=author,
        )

    def label(self, path: str, ref: str, text: str) -> Labelled:
        """The checkpoint has this name, and no other has it. Raises InvalidInput, NotFound."""
        return self.histories.label(self.resolve(path, ref), text)

    def unlabel(self, path: str, ref: str, text: str) -> Checkpoint:
        """The checkpoint has this name no more. Raises NotFound."""
        return self.histories.unlabel(self.resolve(path, ref), text)

    def pin(self, path: str, ref: str = "head") -> Checkpoint:
        """The checkpoint never expires."""
        return self.histories.pin(self.resolve(path, ref))

    def unpin(self, path: str, ref: str = "head") -> Checkpoint:
        """The checkpoint expires as others do."""
        return self.histories.unpin(self.resolve(path, ref))

    def watcher(self) -> Watcher:
        """Looks for files that changed outside Jupyter and keeps them."""
        return Watcher(self.histories, max_bytes=self._cap)

    def export(
        self,
        path: str,
        place: str | Path,
        *,
        git: bool = False,
        progress: Progress = exchange.tell_nobody,
    ) -> Exported:
        """Every checkpoint as a file of a new folder, or as a commit of a git repository."""
        carry = exchange.export_git if git else exchange.export_folder
        return carry(self.histories, self.key(path), Path(place), progress)

    def import_states(
        self, sources: Sequence[Path], target: str, progress: Progress = exchange.tell_nobody
    ) -> Imported:
        """An exported folder, or files, oldest first, into the history of `target`."""
        place = str(document_path(target))
        return exchange.import_states(self.histories, sources, place, progress)

    def import_git(
        self, folder: str, file: str, target: str, progress: Progress = exchange.tell_nobody
    ) -> Imported:
        """The commits of a file into the history of `target`."""
        place = str(document_path(target))
        return exchange.import_git(self.histories, Path(folder), file, place, progress)

    # --- upkeep -------------------------------------------------------------------------

    @property
    def _cap(self) -> int:
        return self.settings.notebooks_max_file_mb << 20

    @property
    def policy(self) -> Policy:
        """The retention policy that the settings say."""
        settings = self.settings
        return Policy(
            keep_last=settings.retention_keep_last,
            hourly=settings.retention_hourly,
            daily=settings.retention_daily,
            weekly=settings.retention_weekly,
            deleted_days=settings.retention_deleted_days,
        )

    def plan_expiry(self, policy: Policy | None = None) -> ExpiryPlan:
        """What the policy would expire now; changes nothing."""
        from jupyter_rewind.notebooks import expiry
        from jupyter_rewind.store.upkeep import estimate_freed

        def estimate(ids: Sequence[EntryId]) -> int:
            return estimate_freed(self.repository, ids)

        return expiry.plan_expiry(self.histories, policy or self.policy, estimate)

    def expire(
        self, plan: ExpiryPlan | None = None, *, now_ns: int | None = None
    ) -> list[Checkpoint]:
        """What the plan's policy (or that of the settings) expires now is gone."""
        from jupyter_rewind.notebooks import expiry

        return expiry.expire(self.histories, plan.policy if plan else self.policy, now_ns)

    def expire_snapshots(self, now_ns: int | None = None) -> list[SnapshotId]:
        """The states and journals of kernels that the settings no longer keep are gone."""
        from jupyter_rewind.kernels import ageing

        return ageing.expire_kernels(self.repository, self.settings, now_ns)

    def expire_drafts(self, now_ns: int | None = None) -> list[DraftId]:
        """The drafts that the settings no longer keep are gone."""
        return self.drafts.expire(self.settings.drafts_keep_days, now_ns)

    def collect(self, *, dry_run: bool = False, progress: Progress | None = None) -> CollectReport:
        """The room of what nothing reaches is given back."""
        from jupyter_rewind.store.upkeep import collect

        return collect(self.repository, dry_run=dry_run, progress=progress)

    def verify(self, *, read_data: bool = False, progress: Progress | None = None) -> VerifyReport:
        """Whether the store is whole, and what is damaged."""
        from jupyter_rewind.store.upkeep import verify

        return verify(self.repository, read_data=read_data, progress=progress)

    def name_entries(self, ids: Iterable[str]) -> dict[str, str]:
        """Words for entries that damage touches: the checkpoint and its notebook."""
        return name_entries(self.histories, ids)

    def stats(self) -> StoreStats:
        """How much there is, and how much of it is shared."""
        from jupyter_rewind.store.upkeep import stats

        return stats(self.repository)

    def sizes(self) -> list[NotebookSize]:
        """What each notebook takes in the store, the largest first."""
        from jupyter_rewind.notebooks.sizes import notebook_sizes

        self.repository.refresh()
        return notebook_sizes(self.histories)

    def keep_up(self) -> UpkeepRound | None:
        """Expires and collects when that is due; None when it is not.

        One process of a store at a time, at most once in `upkeep.interval_hours`. Ages go by the
        store's calendar, which a clock that is far ahead for once does not turn.
        """
        interval_ns = self.settings.upkeep_interval_hours * 3_600_000_000_000
        with take_turn(self.repository.layout, interval_ns) as is_due:
            if not is_due:
                return None
            with count_time(self.repository, interval_ns) as now_ns:
                expired = self.expire(now_ns=now_ns)
                self.expire_snapshots(now_ns)
                self.expire_drafts(now_ns)
                return UpkeepRound(tuple(expired), self.collect())


def salvage(settings: Rewind, **options: Any) -> SalvageReport:
    """What still reads of a damaged store is whole again. See `store/upkeep.py`."""
    from jupyter_rewind.store.upkeep import salvage as run

    folder = Path(settings.store_path).expanduser()
    return run(folder, Path(settings.store_key_folder).expanduser(), **options)


def _is_there(path: str) -> bool:
    return not path.startswith("/") or is_file_there(path)
