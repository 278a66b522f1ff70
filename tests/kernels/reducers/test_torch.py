"""Tensors share what they shared; models, optimisers and gradients go on where they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jupyter_rewind.model.snapshot import Fidelity
from tests.support.pickling import in_fresh_process, keep, round_trip
from tests.support.values import type_and_repr

torch = pytest.importorskip("torch")


def test_views_share_one_storage_written_once() -> None:
    """Rows, transposes, the array of numpy and the storage itself are one memory."""
    tensor = torch.arange(1200.0).reshape(30, 40)
    things = (tensor, tensor[1], tensor.T, tensor.untyped_storage())
    kept = keep(things)
    back, row, turned, storage = kept.load()
    assert [len(one) for one in kept.buffers] == [4800]
    assert kept.notes == []
    back[1, 0] = 99
    assert row[0] == 99 and turned[0, 1] == 99
    assert turned.stride() == tensor.T.stride()
    assert back.untyped_storage() is storage


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(3),
        torch.empty(0),
        torch.zeros(3, dtype=torch.bfloat16),
        torch.tensor([True, False]),
        torch.tensor([1j, 2]),
        torch.tensor([1j, 2]).conj(),
        torch.arange(3, dtype=torch.uint8),
        torch.eye(3).to_sparse(),
        torch.zeros(2, 3, requires_grad=True),
        torch.arange(12).as_strided((2, 2), (3, 1), 1),
    ],
    ids=lambda tensor: f"{tensor.dtype} {tensor.layout} {tuple(tensor.shape)}",
)
def test_a_tensor_comes_back_as_it_was(tensor: Any) -> None:
    """Type, layout, flags and values."""
    kept = keep(tensor)
    back = kept.load()
    assert (back.dtype, back.shape, back.layout) == (tensor.dtype, tensor.shape, tensor.layout)
    assert back.requires_grad == tensor.requires_grad and back.is_conj() == tensor.is_conj()
    assert torch.equal(back.to_dense(), tensor.to_dense())
    assert kept.notes == []
    if tensor.layout == torch.strided:
        assert back.stride() == tensor.stride()


def _training() -> tuple[Any, Any]:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 40), torch.nn.BatchNorm1d(40))
    net.append(torch.nn.Linear(40, 1))
    optimiser = torch.optim.Adam(net.parameters())
    _step(net, optimiser)
    return net, optimiser


def _step(net: Any, optimiser: Any) -> None:
    net(torch.arange(15.0).reshape(5, 3)).sum().backward()
    optimiser.step()


def test_training_goes_on_as_if_nothing_had_been() -> None:
    """The optimiser moves the model's own weights, with its moments and their gradients."""
    net, optimiser = _training()
    kept = keep((net, optimiser))
    back, back_optimiser = kept.load()
    assert kept.notes == []
    assert back_optimiser.param_groups[0]["params"][0] is back[0].weight
    assert torch.equal(back[0].weight.grad, net[0].weight.grad)
    _step(net, optimiser)
    _step(back, back_optimiser)
    for name, weight in net.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight), name


def test_tied_weights_stay_tied() -> None:
    """One parameter in two layers is one parameter."""
    first, second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    second.weight = first.weight
    back = round_trip(torch.nn.ModuleList([first, second]))
    assert back[0].weight is back[1].weight


def test_the_record_of_a_computation_is_noted_as_lost() -> None:
    """The values come back, autograd's graph does not, and the report says so."""
    net, _ = _training()
    out = net(torch.ones(2, 3))
    kept = keep(out)
    assert torch.equal(kept.load(), out)
    assert kept.fidelities == {Fidelity.REBUILT}


def test_arrays_and_tensors_share_memory_both_ways() -> None:
    """An array made of a tensor, and a tensor made of an array that has a name."""
    tensor, array = torch.zeros(3), np.zeros(500)
    namespace = {"a": array, "made": torch.from_numpy(array[2:]), "t": tensor, "v": tensor.numpy()}
    kept = keep(namespace, namespace)
    back = kept.load()
    back["a"][3] = 7
    back["t"][1] = 8
    assert back["made"][1] == 7 and back["v"][1] == 8
    assert kept.notes == []


def test_an_array_on_a_tensor_is_kept_as_often_as_one_likes() -> None:
    """What came back is kept again: storage and array do not tell each other without end."""
    tensor = torch.arange(6.0)
    back: dict[str, Any] = {"t": tensor, "a": tensor.numpy()}
    for _ in range(2):
        kept = keep(back, back)
        back = kept.load()
        assert kept.notes == []
    back["t"][2] = 7
    assert back["a"][2] == 7


def test_an_array_on_a_tensor_with_gaps_stays_in_its_memory() -> None:
    """What the tensor leaves out is no obstacle."""
    tensor = torch.arange(6.0)
    back, array = round_trip((tensor, tensor[::2].numpy()))
    back[2] = 7
    assert array.tolist() == [0, 7, 4]


def test_memory_that_numpy_lent_is_noted() -> None:
    """Where the array has no name, the report says that the tensor got its own."""
    kept = keep(torch.from_numpy(np.arange(4.0)))
    assert kept.load().tolist() == [0, 1, 2, 3]
    assert kept.fidelities == {Fidelity.REBUILT}


def test_a_tensor_can_be_resized_after_it_was_kept() -> None:
    """Keeping it changes nothing about it, and it comes back as free as it was."""
    tensor = torch.zeros(3000)
    back = round_trip(tensor)
    assert tensor.resize_(5000).numel() == back.resize_(5000).numel() == 5000


def test_a_generator_of_chance_goes_on() -> None:
    """The next numbers are the same."""
    generator = torch.Generator()
    generator.manual_seed(7)
    torch.rand(3, generator=generator)
    back = round_trip(generator)
    assert torch.equal(torch.rand(5, generator=back), torch.rand(5, generator=generator))


def test_a_compiled_module_comes_back() -> None:
    """It computes the same."""
    module = torch.jit.script(torch.nn.Linear(2, 2))
    back = round_trip(module)
    assert torch.equal(back(torch.ones(1, 2)), module(torch.ones(1, 2)))


def test_a_tensor_comes_back_in_another_process() -> None:
    """A new kernel reads it from what was written alone."""
    tensor = torch.arange(600.0).reshape(2, 300).T
    assert in_fresh_process(tensor, type_and_repr) == repr(type_and_repr(tensor))
