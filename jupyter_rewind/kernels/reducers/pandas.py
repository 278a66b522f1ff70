"""pandas: the blocks of a frame as they are, with what pandas knows of who shares their memory.

Under copy on write a block's references say that a write must copy first. They are kept with the
shared memory: one without the other would let a write to a column change the frame.
"""

from __future__ import annotations

from typing import Any

from pandas._libs.internals import Block, BlockValuesRefs

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry


def register(registry: Registry) -> None:
    registry.add(Block, reduce_block, subclasses=True, always=True)
    registry.add(BlockValuesRefs, reduce_references)


def reduce_references(value: Any, _: Context) -> Reduction:
    return rebuild_references, ()


def rebuild_references() -> Any:
    """Who shares a piece of memory: nobody yet; each block that comes back puts itself in."""
    references = BlockValuesRefs()
    references.referenced_blocks.clear()
    return references


def reduce_block(value: Any, _: Context) -> Reduction:
    place = value.mgr_locs.indexer
    return rebuild_block, (type(value), value.values, place, value.ndim, value.refs)


def rebuild_block(kind: Any, values: Any, place: Any, ndim: int, references: Any) -> Any:
    from pandas._libs.internals import BlockPlacement

    return kind(values, placement=BlockPlacement(place), ndim=ndim, refs=references)
