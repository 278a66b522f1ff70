"""Looking after a store: verify, salvage, collect, stats. The names; each has a file of its own."""

from jupyter_rewind.store.collect import CollectReport, collect, estimate_freed
from jupyter_rewind.store.salvage import Lost, SalvageReport, salvage
from jupyter_rewind.store.stats import (
    GroupSize,
    KindStats,
    SegmentStats,
    StoreStats,
    group_sizes,
    stats,
)
from jupyter_rewind.store.verify import Damage, Progress, Unfinished, VerifyReport, verify

__all__ = [
    "CollectReport",
    "Damage",
    "GroupSize",
    "KindStats",
    "Lost",
    "Progress",
    "SalvageReport",
    "SegmentStats",
    "StoreStats",
    "Unfinished",
    "VerifyReport",
    "collect",
    "estimate_freed",
    "group_sizes",
    "salvage",
    "stats",
    "verify",
]
