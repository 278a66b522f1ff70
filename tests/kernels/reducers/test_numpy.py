"""Arrays come back as they were: content, layout, flags, and which memory is the same."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from jupyter_rewind.kernels.placeholders import Placeholder
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.pickling import in_fresh_process, keep, round_trip
from tests.support.values import (
    Measured,
    describe_array,
    describe_arrays,
    write_through_first,
)

_BASE = np.arange(1000.0).reshape(20, 50)

ARRAYS: dict[str, Any] = {
    "small": np.arange(5),
    "large": np.arange(1e5),
    "empty": np.empty((0, 3)),
    "a number": np.array(3.5),
    "Fortran order": np.asfortranarray(_BASE),
    "axes permuted": np.arange(60.0).reshape(3, 4, 5).transpose(2, 0, 1).copy("K"),
    "a part": _BASE[2:5, ::3],
    "transposed": _BASE.T,
    "backwards": _BASE.copy()[::-1],
    "broadcast": np.broadcast_to(np.arange(3), (2, 3)),
    "days": np.arange("2020", "2021", dtype="M8[D]"),
    "durations": np.arange(500).astype("m8[us]"),
    "text": np.array(["a", "bbb"]),
    "bytes": np.array([b"a", b"bbb"]),
    "big endian": np.arange(500, dtype=">i4"),
    "long doubles": np.arange(3, dtype=np.longdouble),
    "complex": np.arange(300) * 1j,
    "booleans": np.arange(3) > 1,
    "halves": np.arange(3, dtype=np.float16),
    "records": np.zeros(3, dtype=[("a", "i4"), ("b", "f8", 2)]),
    "objects": np.array([1, "a", None], object),
    "objects in Fortran order": np.array([[1, "a"], [None, 2.5]], object, order="F"),
    "a part of objects": np.array([1, "a", None, 2], object)[::2],
    "records with objects": np.array([(1, [2])], dtype=[("a", "i4"), ("b", object)]),
    "variable texts": np.array(["a", "one that is long enough"], dtype=np.dtypes.StringDType()),
    "matrix": np.matrix([[1, 2], [3, 4]]),
    "record array": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "memory of bytes": np.frombuffer(b"12345678", np.int32),
    "not writeable": np.arange(4),
}
ARRAYS["not writeable"].setflags(write=False)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_as_it_was(name: str) -> None:
    """Type, dtype, shape, strides, order, flags and content are those of the array."""
    kept = keep(ARRAYS[name])
    assert describe_array(kept.load()) == describe_array(ARRAYS[name])
    assert kept.notes == []


def test_arrays_come_back_in_another_process() -> None:
    """A new kernel reads them from what was written alone."""
    values = list(ARRAYS.values())
    assert in_fresh_process(values, describe_arrays) == repr(describe_arrays(values))


@st.composite
def views(draw: st.DrawFn) -> tuple[Any, Any]:
    """An array and a view of a view of it, cut, turned and stepped at random."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    order = draw(st.sampled_from("CF"))
    kind = draw(st.sampled_from(["i8", "f4", "O", "u1"]))
    base = np.arange(int(np.prod(shape))).reshape(shape, order=order).astype(kind, order="K")
    view = base
    for _ in range(draw(st.integers(1, 3))):
        cut = tuple(
            slice(draw(st.integers(0, length - 1)), None, draw(st.sampled_from([1, 2, -1])))
            for length in view.shape
        )
        view = view[cut].transpose(draw(st.permutations(range(view.ndim))))
    return base, view


@given(views(), st.booleans())
def test_a_view_stays_a_view(pair: tuple[Any, Any], view_first: bool) -> None:
    """Whatever was cut out of an array still changes with it, whichever of them is kept first."""
    base, view = pair
    if view_first:
        back_view, back_base = round_trip((view, base))
    else:
        back_base, back_view = round_trip((base, view))
    assert describe_arrays((back_base, back_view)) == describe_arrays((base, view))
    assert back_view.base is back_base
    back_base[...] = 100
    assert set(np.unique(back_view.astype(int))) == {100}


def test_views_share_memory_in_another_process() -> None:
    """A write to the array shows in its part, in a new kernel as in the old one."""
    base = np.zeros(1000)
    assert in_fresh_process((base, base[3:6]), write_through_first) == "[7.0, 7.0, 7.0]"


def test_parts_of_an_array_without_a_name_overlap_still() -> None:
    """The array itself is gone; two parts of it share what they shared."""
    whole = np.arange(50)
    parts = [whole[1:5], whole[3:7]]
    del whole
    left, right = round_trip(parts)
    left[2] = 99
    assert right[0] == 99


def test_a_small_part_does_not_bring_a_large_array_along() -> None:
    """The part is the only thing left of a large array, so only the part is stored."""
    part = np.arange(1_000_000)[10:20]
    kept = keep(part)
    assert sum(map(len, kept.buffers)) + len(kept.stream) < 2000
    assert kept.load().tolist() == list(range(10, 20))


def test_a_writeable_part_of_an_array_that_was_locked_later() -> None:
    """Each keeps its own flag."""
    base = np.arange(4)
    part = base[1:]
    base.setflags(write=False)
    back, back_part = round_trip((base, part))
    assert (back.flags.writeable, back_part.flags.writeable) == (False, True)


def test_an_array_in_a_bytearray_stays_there() -> None:
    """The memory belongs to the bytearray, after as before."""
    memory = bytearray(16)
    back, array = round_trip((memory, np.frombuffer(memory, np.uint8)[3:]))
    back[3] = 7
    assert array[0] == 7


def test_an_array_can_be_resized_afterwards() -> None:
    """It owns its memory again, so numpy may move it."""
    back = keep(np.arange(1000)).load()
    back.resize(2000, refcheck=False)
    assert back[:1000].tolist() == list(range(1000))


def test_an_object_array_may_hold_itself() -> None:
    """A cycle through an array is a cycle again."""
    value = np.empty(2, object)
    value[0] = value
    back = round_trip(value)
    assert back[0] is back and back[1] is None


def test_a_masked_array_keeps_its_mask_and_memory() -> None:
    """Masked values, the fill value and the shared memory come back."""
    data = np.arange(2000.0)
    masked = np.ma.array(data, mask=data > 5, fill_value=-1, copy=False)
    back, back_masked = round_trip((data, masked))
    assert back_masked.filled().tolist() == masked.filled().tolist()
    back[0] = 77
    assert back_masked[0] == 77
    assert back_masked.fill_value == -1


def test_attributes_of_a_subclass_come_back() -> None:
    """numpy's own pickling forgets them."""
    value = np.arange(3.0).view(Measured)
    value.unit = "kg"
    back = round_trip(value)
    assert type(back) is Measured and back.unit == "kg" and back.tolist() == [0, 1, 2]


def test_a_memory_map_is_mapped_again_and_not_emptied(tmp_path: Path) -> None:
    """The file keeps its bytes although it was opened with mode w+."""
    path = tmp_path / "array.bin"
    value = np.memmap(path, dtype="f4", mode="w+", shape=(10,))
    value[:] = 1
    value.flush()
    before = path.read_bytes()
    kept = keep((value, value[2:5]))
    back, part = kept.load()
    assert path.read_bytes() == before
    assert kept.fidelities == {Fidelity.REFERENCE}
    assert type(back) is np.memmap and back.mode == "r+"
    back[2] = 5
    assert value[2] == 5 and part[0] == 5


def test_a_view_of_a_memory_map_is_one_again_though_nothing_else_holds_the_map(
    tmp_path: Path,
) -> None:
    """However little of it is shown: what is written into it goes to the file."""
    path = tmp_path / "array.bin"
    np.memmap(path, dtype="f8", mode="w+", shape=(100_000,))[:] = 0
    kept = keep(np.asarray(np.memmap(path, dtype="f8", mode="r+"))[2:5])
    kept.load()[:] = 7
    assert np.memmap(path, dtype="f8")[:6].tolist() == [0, 0, 7, 7, 7, 0]


def test_an_array_in_shared_memory_is_kept_with_memory_of_its_own() -> None:
    """And says so; what shows such memory as bytes is gone, and says so, too."""
    memory = mmap.mmap(-1, 4096)
    value = np.ndarray((4, 3), "f8", buffer=memory)
    value[:] = np.arange(12).reshape(4, 3)
    kept = keep(value)
    assert kept.fidelities == {Fidelity.REBUILT}
    back = kept.load()
    assert back.tolist() == value.tolist() and back.shape == (4, 3)
    kept = keep(memoryview(memory)[3:])
    assert kept.fidelities == {Fidelity.MISSING}
    assert isinstance(kept.load(), Placeholder)


def test_a_memory_map_without_its_file_says_so(tmp_path: Path) -> None:
    """What stands in its place names the file."""
    path = tmp_path / "array.bin"
    kept = keep(np.memmap(path, dtype="f4", mode="w+", shape=(10,)))
    path.unlink()
    back = kept.load()
    assert isinstance(back, Placeholder)
    assert "array.bin" in repr(back)


def test_what_is_computed_from_a_memory_map_is_kept_whole(tmp_path: Path) -> None:
    """It is an array in memory, though its type says memmap."""
    value = np.memmap(tmp_path / "array.bin", dtype="f4", mode="w+", shape=(10,)) + 1
    kept = keep(value)
    assert kept.load().tolist() == [1] * 10
    assert kept.notes == []


def test_generators_share_their_source_of_chance() -> None:
    """Two generators on one bit generator draw from the same stream, in the same order."""
    bits = np.random.PCG64(1)
    first, second = np.random.Generator(bits), np.random.Generator(bits)
    one, two = round_trip((first, second))
    assert one.bit_generator is two.bit_generator
    assert [one.random(), two.random()] == [first.random(), second.random()]


def test_memory_of_a_foreign_owner_is_told_of() -> None:
    """Memory whose owner cannot be kept comes back as memory of the array's own, and is noted."""
    value = as_strided(np.arange(6), (3,), (16,))
    lender = value.base
    kept = keep(value)
    assert lender is not None
    assert kept.load().tolist() == [0, 2, 4]
    assert kept.fidelities <= {Fidelity.REBUILT}


def test_windows_over_an_array_stay_views_of_it() -> None:
    """What is written into the array shows in all of its windows, and nothing is kept twice."""
    whole = np.arange(20_000.0)
    windows = sliding_window_view(whole, 500)
    stepped = as_strided(whole, (4,), (16,))
    kept = keep((whole, windows, windows[7], stepped))
    back, back_windows, row, back_stepped = kept.load()
    assert [len(one) for one in kept.buffers] == [whole.nbytes] and kept.notes == []
    back[7] = -1
    assert back_windows[7, 0] == back_windows[3, 4] == row[0] == -1
    back_stepped[1] = -2
    assert back[2] == -2
    assert (back_windows.shape, back_windows.strides) == (windows.shape, windows.strides)
    assert not back_windows.flags.writeable and back_stepped.flags.writeable
    assert keep((back, back_windows)).notes == []


def test_windows_over_an_array_without_a_name_cost_no_more_than_it() -> None:
    """The windows alone are left of it, at first and after a restore."""
    back = sliding_window_view(np.arange(20_000.0), 500)
    for _ in range(2):
        kept = keep(back)
        back = kept.load()
        assert sum(map(len, kept.buffers)) == 160_000
    assert back[100, 3] == 103


class _Lender:
    """Memory that is an array's by its interface alone."""

    def __init__(self, held: Any) -> None:
        self.__array_interface__ = held.__array_interface__
        self.held = held


def test_overlapping_items_in_foreign_memory_cost_no_more_than_it() -> None:
    """However many items show a byte, and in what direction: it is kept once."""
    lender = _Lender(np.arange(20_000.0))
    windows = sliding_window_view(np.asarray(lender), 500)
    foreign = _Lender(windows)
    kept = keep(np.asarray(foreign)[::-1])
    back = kept.load()
    assert sum(map(len, kept.buffers)) == 160_000
    assert back.strides == (-8, 8) and back[0, 499] == 19_999 and back[-1, 0] == 0


def test_a_view_of_a_view_with_gaps_shares_with_their_owner() -> None:
    """A part of another type stands between them, and has gaps."""
    owner = np.arange(100.0)
    part = np.asarray(owner.view(Measured)[::2])[3:]
    back, back_part = round_trip((owner, part))
    back[8] = -1
    assert back_part[1] == -1


def test_a_view_of_scattered_foreign_memory_says_so() -> None:
    """It comes back with memory of its own, and with a reason."""
    scattered = np.asarray(_Lender(np.arange(10.0)[::2]))
    kept = keep((scattered, scattered[1:]))
    assert kept.load()[1].tolist() == [2, 4, 6, 8]
    assert [reason for _, reason in kept.notes if reason.startswith("a view of an array")]


_RECORD = np.dtype([("a", "i4"), ("b", "f8"), ("o", "O"), ("n", [("x", "O"), ("y", "f4", 2)])])


def test_fields_of_records_with_objects_stay_views_of_them() -> None:
    """Plain fields and those that hold objects, fields of fields, and some of the records."""
    whole = np.zeros(4, _RECORD)
    parts = (whole["b"], whole["o"], whole["n"]["y"], whole[::2], whole[["a", "o"]])
    kept = keep((*parts, whole))
    numbers, objects, nested, some, pair, back = kept.load()
    assert kept.notes == []
    numbers[2], objects[2], nested[2] = 77, [1], 5
    assert back.tolist()[2][:3] == (0, 77, [1]) and back["n"]["y"][2].tolist() == [5, 5]
    assert some["b"][1] == 77 and pair["o"][2] is back["o"][2]
    assert in_fresh_process((whole["a"], whole[1:]["a"]), write_through_first) == "[7, 7, 7]"


def test_records_may_hold_themselves_and_their_fields() -> None:
    """Cycles through them are cycles again."""
    whole = np.zeros(2, _RECORD)
    whole["o"][0], whole["o"][1] = whole, whole["b"]
    back = round_trip(whole)
    assert back["o"][0] is back
    back["o"][1][1] = 3
    assert back["b"].tolist() == [0, 3]


@pytest.mark.parametrize("turn", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_records_with_objects_lie_as_they_lay(turn: tuple[int, ...]) -> None:
    """In any order of their axes, so that the views of them fit."""
    whole = np.zeros((2, 3, 4), _RECORD).transpose(turn).copy("K")
    whole["a"].flat[:] = range(24)
    back, field = round_trip((whole, whole["a"]))
    assert (back.strides, back.flags.owndata) == (whole.strides, True)
    assert field.tolist() == back["a"].tolist() == whole["a"].tolist()


def test_masked_records_with_objects_keep_their_mask() -> None:
    """numpy's own way for such records leaves it out."""
    masked = np.ma.array(np.zeros(2, _RECORD[["a", "o"]]), mask=[(True, False), (False, True)])
    assert round_trip(masked).mask.tolist() == masked.mask.tolist()


def test_functions_of_numpy_are_themselves() -> None:
    """A ufunc is found by its name, one made of a function is made again."""
    add, length = round_trip((np.add, np.frompyfunc(len, 1, 1)))
    assert add is np.add
    assert length(np.array(["ab"], object)).tolist() == [2]
    assert next(round_trip(np.arange(5).flat)) == 0
