"""Variables that are something a library holds under a name: that one comes back, as it is then.

Code of the library asks for it with `is`, and goes on with it; a second one would be nobody's. What
cells change in it is the library's: no state has it, and that is said.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from jupyter_rewind.kernels.attributes import attributes_of, has_attributes
from jupyter_rewind.kernels.pods import VARIABLE, Note
from jupyter_rewind.model.snapshot import Fidelity

if TYPE_CHECKING:
    from jupyter_rewind.kernels.codec import Session

_HEAP = 1 << 9
_mro_of = vars(type)["__mro__"].__get__
_dict_of = vars(type)["__dict__"].__get__
_flags_of = vars(type)["__flags__"].__get__
_CONTAINERS = (dict, list, set, deque)
_AROUND = frozenset(("matplotlib", "numpy.random.mtrand", "pandas._config.config", "random"))
"""Modules of those that are set with what surrounds the variables."""


def notes_of(key: str, value: Any, session: Session) -> tuple[Note, ...]:
    """What is to be said of the root because of this."""
    if id(value) not in session.named or not key.startswith(VARIABLE) or not _may_change(value):
        return ()
    home = type.__getattribute__(type(value), "__module__")
    if home in _AROUND:
        return ()
    words = f"the one that {home} has then; what it holds is the library's, and is not kept"
    return ((Fidelity.REFERENCE, words),)


def _may_change(value: Any) -> bool:
    """True for what holds something; a mark holds nothing."""
    if issubclass(type(value), _CONTAINERS):
        return True
    if has_attributes(type(value)) and attributes_of(value):
        return True
    bases = (base for base in _mro_of(type(value))[:-1] if _flags_of(base) & _HEAP)
    return any(_dict_of(base).get("__slots__") for base in bases)
