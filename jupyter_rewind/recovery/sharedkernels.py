"""The runs of a notebook without what another one ran on the same kernel; that is kept beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.attributed import LeftOut, Split
from jupyter_rewind.recovery.attribution import Attribution
from jupyter_rewind.recovery.evidence import FoundRun
from jupyter_rewind.recovery.hearing import names_of, normal


def without_others(placed: Attribution, target: Path, split: Split) -> Split:
    """The split, whose own runs are without what cells of other notebooks are known to have run.

    A session that the user named is taken whole, unless its kernel was started for the other one.
    """
    places = names_of(target, placed.evidence).places
    numbers = {id(run): number for number, run in enumerate(placed.runs)}
    shared: list[LeftOut] = []
    made: dict[int, FoundRun] = {}
    for each in split.own:
        number = numbers[id(each.run)]
        run, others = placed.sharing.without_others(number, each.run, places)
        if each.run.asked:
            began = placed.began.get(number)
            named = began.kernel.notebook if began is not None and began.kernel is not None else ""
            if normal(named) not in others:
                continue
        if others:
            made[id(each.run)] = run
            shared += [LeftOut(ran, place) for place, ran in others.items()]
    if not made:
        return split
    own = [replace(each, run=made.get(id(each.run), each.run)) for each in split.own]
    doubts = tuple(replace(each, run=made.get(id(each.run), each.run)) for each in split.doubts)
    return replace(split, own=own, doubts=doubts, shared=tuple(shared))
