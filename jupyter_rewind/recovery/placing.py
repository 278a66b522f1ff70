"""Where cells stand whose place nothing told: below what they need, above what needs them.

A new cell is put where work seemed to be. If it uses a name that only a cell below it gives a
meaning to, it would fail there when the notebook is run from its top; so it goes behind that one.
And if a cell above it has such need of it, it goes before that one. Cells of the document, and
cells whose place a run of all showed, stay where they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from jupyter_rewind.recovery.likeness import defined, is_look, used_at_once
from jupyter_rewind.recovery.slots import Slot


def place_by_need(slots: list[Slot]) -> None:
    """Moves new cells of a guessed place; all others keep their order."""
    code = [slot for slot in slots if slot.code and not slot.gone]
    definers = Counter(name for slot in code for name in defined(slot.source))
    homes = {name: slot for slot in code for name in defined(slot.source) if definers[name] == 1}
    users: dict[Slot, set[Slot]] = defaultdict(set)
    needs: dict[Slot, set[Slot]] = defaultdict(set)
    for slot in code:
        for name in used_at_once(slot.source):
            home = homes.get(name)
            if home is not None and home is not slot:
                needs[slot].add(home)
                users[home].add(slot)
    guessed = [slot for slot in code if slot.origin is None and not slot.swept]
    for slot in reversed([each for each in guessed if not is_look(each.source)]):
        here = slots.index(slot)
        last = max((slots.index(each) for each in needs[slot] - users[slot]), default=-1)
        if last > here:
            slots.insert(last, slots.pop(here))
    for slot in guessed:
        here = slots.index(slot)
        first = min((slots.index(each) for each in users[slot] - needs[slot]), default=here)
        above = max((slots.index(each) for each in needs[slot]), default=-1)
        if above < first < here:
            slots.insert(first, slots.pop(here))
