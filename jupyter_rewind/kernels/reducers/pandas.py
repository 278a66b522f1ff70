"""pandas: the blocks of a frame as they are, with what pandas knows of who shares their memory.

Under copy on write a block's references say that a write must copy first. They are kept with the
shared memory: one without the other would let a write to a column change the frame.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas._libs.internals import Block, BlockValuesRefs
from pandas.core.internals.managers import SingleBlockManager

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry


def register(registry: Registry) -> None:
    registry.add(Block, reduce_block, subclasses=True, always=True)
    registry.add(BlockValuesRefs, reduce_references)
    registry.add(SingleBlockManager, reduce_series_manager)
    registry.add(pd.Index, reduce_index, subclasses=True, always=True)


def reduce_series_manager(value: Any, _: Context) -> Reduction:
    """Not pandas' own way: it writes the block without its references."""
    return type(value), (value.blocks[0], value.axes[0])


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


def reduce_index(value: Any, _: Context) -> Reduction:
    reduction: tuple[Any, ...] = value.__reduce_ex__(5)
    references = vars(value).get("_references")
    if references is None:
        return reduction
    make, arguments, *rest = reduction
    return (rebuild_index, (make, arguments, references), *rest)


def rebuild_index(make: Any, arguments: tuple[Any, ...], references: Any) -> Any:
    """An index that stays as it is when a frame is written whose memory it shares."""
    made = make(*arguments)
    made._references = references
    references.add_index_reference(made)
    return made
