"""Whether a saved cell still stands, where something like it was run after the save.

The kernel went on: what ran then may be a new text of the saved cell, or another cell that was
made of it by copying. Nothing records which. Weighed are what the two texts share, whether the
saved one was run, and what else the new one may be; by weights fitted to simulated sessions that
span an autosave. A saved cell that vanishes costs more than one too many: in doubt both stay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

from jupyter_rewind.recovery.likeness import defined, parses
from jupyter_rewind.recovery.weights import WEIGHTS

ENOUGH = 0.15
"""From so likely on it stays, whatever ran."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MADE = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)", re.M)
_MOST = 4.0


def likely_to_stay(signs: Mapping[str, float]) -> float:
    """How likely it is, from 0 to 1, that the cell of these signs was left as it is."""
    weights = WEIGHTS["stays"]
    odds = sum(weights.get(sign, 0.0) * value for sign, value in signs.items())
    return 1 / (1 + math.exp(-odds))


def signs_of_staying(
    texts: tuple[str, str],
    choice: Mapping[str, float],
    odds: tuple[float, float, Collection[float]],
    *,
    was_run: bool,
    is_last: bool,
) -> dict[str, float]:
    """What speaks for the saved cell, and against it.

    `texts` are the saved one and that which ran; `choice` what speaks for the change; `odds` those
    of the change, of a new cell, and of changes of other cells.
    """
    saved, ran = texts
    change, new, others = odds
    latest, like = choice.get("latest", 0.0), choice.get("kept_now", 0.0)
    return {
        "bias": 1.0,
        "broken": float(not parses(saved)),
        "run": float(was_run),
        "run_latest": was_run * latest,
        "like": like,
        "very": float(like > 0.8),
        "contained": choice.get("kept_contained", 0.0),
        "grown": float(len(ran) > 1.3 * len(saved)),
        "tuned": float(_NUMBER.sub("0", saved) == _NUMBER.sub("0", ran)),
        "slip": choice.get("slip", 0.0),
        "binds_nothing": float(not defined(saved) and not defined(ran)),
        "redefines": float(bool(_made(saved) & _made(ran))),
        "near": choice.get("near", 0.0),
        "last": float(is_last),
        "rather_than_new": min(change - new, _MOST) / _MOST,
        "rather_than_others": min(change - max(others, default=-_MOST), _MOST) / _MOST,
    }


def _made(source: str) -> frozenset[str]:
    """The functions and classes that the code defines."""
    return frozenset(_MADE.findall(source))
