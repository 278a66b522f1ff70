"""torch: storages out of band and once, tensors as views of them, gradients with them.

A tensor of another device goes through the host's memory, and back to that device where there is
one. What autograd recorded of how a tensor was computed is not kept.
"""

from __future__ import annotations

import ctypes
import pickle
import sys
from typing import Any

import torch

from jupyter_rewind.kernels.reducers.contract import Context, Reduction
from jupyter_rewind.kernels.reducers.registry import Registry
from jupyter_rewind.kernels.reducers.views import into
from jupyter_rewind.model.snapshot import Fidelity


def register(registry: Registry) -> None:
    registry.add(torch.Tensor, reduce_tensor)
    registry.add(torch.nn.Parameter, reduce_tensor)
    registry.add(torch.nn.Buffer, reduce_tensor)
    registry.add(torch.UntypedStorage, reduce_storage)
    registry.add(torch.TypedStorage, reduce_typed_storage, subclasses=True, always=True)
    registry.add(torch.Generator, reduce_generator)
    registry.add_named("torch.jit._script.RecursiveScriptModule", reduce_script)


def _is_plain(value: Any) -> bool:
    return bool(
        value.layout == torch.strided and not value.is_quantized and value.device.type != "meta"
    )


def reduce_tensor(value: Any, context: Context) -> Reduction:
    if value.grad_fn is not None:
        context.note(Fidelity.REBUILT, "a tensor, without the record of how it was computed")
    if not _is_plain(value) or torch._C._functorch.is_functorch_wrapped_tensor(value):
        reduction: Reduction = value.__reduce_ex__(5)
        return reduction
    if value._backward_hooks:
        context.note(Fidelity.REBUILT, "a tensor, without its backward hooks")
    storage = value.untyped_storage()
    place = (value.storage_offset(), tuple(value.size()), value.stride())
    signs = (value.is_conj(), value.is_neg())
    more = {name: held for name, held in vars(value).items() if not name.startswith("_backward")}
    grad = value.grad if value.is_leaf or value.retains_grad else None
    made = (type(value), storage, value.dtype, *place, value.requires_grad, *signs)
    return rebuild_tensor, made, (grad, more), None, None, set_tensor


def rebuild_tensor(
    kind: Any,
    storage: Any,
    dtype: Any,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
    conjugate: bool,
    negative: bool,
) -> Any:
    made = torch.empty(0, dtype=dtype, device=storage.device)
    made.set_(storage, offset, size, stride)
    if conjugate:
        torch._C._set_conj(made, True)
    if negative:
        torch._C._set_neg(made, True)
    if kind is torch.Tensor:
        return made.requires_grad_(requires_grad)
    if kind is torch.nn.Parameter:
        return torch.nn.Parameter(made, requires_grad=requires_grad)
    return kind(made)


def set_tensor(tensor: Any, state: tuple[Any, dict[str, Any]]) -> None:
    grad, more = state
    vars(tensor).update(more)
    if grad is not None:
        tensor.grad = grad


def reduce_storage(value: Any, context: Context) -> Reduction:
    device = str(value.device)
    if value.device.type != "cpu":
        context.note(Fidelity.REBUILT, f"memory of the device {device}, by way of the host's")
        value = value.cpu()
    elif value.filename is not None:
        context.note(Fidelity.REBUILT, "memory of a mapped file; it is plain memory again")
    elif value.is_shared():
        context.note(Fidelity.REBUILT, "memory shared with processes; it is plain memory again")
    elif not value.resizable() and (reduction := _reduce_lent(value, context)) is not None:
        return reduction
    size = value.nbytes()
    if not size:
        return rebuild_storage, (0, device, b"")
    return rebuild_storage, (size, device, pickle.PickleBuffer(_memory_of(value)))


def _memory_of(storage: Any) -> Any:
    """Its bytes; not by numpy(), after which the user's tensor could not be resized any more."""
    memory = (ctypes.c_ubyte * storage.nbytes()).from_address(storage.data_ptr())
    memory._storage = storage
    return memory


def _reduce_lent(storage: Any, context: Context) -> Reduction | None:
    """What numpy's memory was made a tensor of is a tensor of the same array again. An array that
    was made of a tensor is no owner: it would lead back here, without end."""
    is_own = False
    for value in _arrays_in(context.namespace):
        from jupyter_rewind.kernels.reducers.lending import lenders

        held = (value, *lenders(value))
        tensors = [one for one in held if isinstance(one, torch.Tensor)]
        if tensors:
            is_own = is_own or tensors[0].untyped_storage()._cdata == storage._cdata
            continue
        for owner in reversed(held):
            offset = _place_in(owner, storage)
            if offset is not None:
                return lent_storage, (owner, offset, storage.nbytes())
    if not is_own:
        reason = (
            "a tensor that shared memory with an array of numpy; if it still did, it got its own"
        )
        context.note(Fidelity.REBUILT, reason)
    return None


def _arrays_in(namespace: dict[str, Any]) -> list[Any]:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return []
    return [value for value in list(namespace.values()) if type(value) is numpy.ndarray]


def _place_in(array: Any, storage: Any) -> int | None:
    """Where in the array's memory that of the storage begins; None where it is not all there."""
    from jupyter_rewind.kernels.reducers.lending import address, as_stored

    kind = type(array)
    if kind.__module__ != "numpy" or kind.__name__ != "ndarray" or array.dtype.hasobject:
        return None
    offset = int(storage.data_ptr()) - address(array)
    is_inside = 0 <= offset <= array.nbytes - storage.nbytes()
    return offset if is_inside and as_stored(array) is not None else None


def lent_storage(array: Any, offset: int, size: int) -> Any:
    from jupyter_rewind.kernels.reducers.numpy import flat_bytes

    return torch.from_numpy(flat_bytes(array)[offset : offset + size]).untyped_storage()


def rebuild_storage(size: int, device: str, source: Any) -> Any:
    storage = torch.UntypedStorage(size)
    if size:
        into(memoryview(_memory_of(storage)).cast("B"), source)
    if device == "cpu":
        return storage
    try:
        return storage.to(device=torch.device(device))
    except (RuntimeError, AssertionError):
        # Not on this machine: it stays in the host's memory.
        return storage


def reduce_typed_storage(value: Any, _: Context) -> Reduction:
    return rebuild_typed_storage, (value._untyped_storage, value.dtype)


def rebuild_typed_storage(storage: Any, dtype: Any) -> Any:
    return torch.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)


def reduce_generator(value: Any, _: Context) -> Reduction:
    return rebuild_generator, (str(value.device), value.get_state())


def rebuild_generator(device: str, state: Any) -> Any:
    try:
        made = torch.Generator(device=device)
    except RuntimeError:
        return torch.Generator()
    made.set_state(state)
    return made


def reduce_script(value: Any, context: Context) -> Reduction:
    import io

    context.note(Fidelity.REBUILT, "a compiled module, with memory of its own")
    written = io.BytesIO()
    torch.jit.save(value, written)
    return rebuild_script, (written.getvalue(),)


def rebuild_script(written: bytes) -> Any:
    import io

    return torch.jit.load(io.BytesIO(written))
