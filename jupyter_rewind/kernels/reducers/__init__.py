"""How each kind of value is kept, from exact to a placeholder that explains itself."""

from jupyter_rewind.kernels.reducers.contract import Context, Notes, Reducer, Reduction
from jupyter_rewind.kernels.reducers.registry import GROUP, Registry, lookup, register, registry

__all__ = [
    "GROUP",
    "Context",
    "Notes",
    "Reducer",
    "Reduction",
    "Registry",
    "lookup",
    "register",
    "registry",
]
