"""Content is cut, packed and told as differences, and comes back byte for byte."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_rewind.errors import Integrity, Newer
from jupyter_rewind.store import chunks


def _no_base(_: bytes) -> bytes:
    raise AssertionError("asked for a base")


@given(st.binary(max_size=5000) | st.binary(max_size=40).map(lambda part: part * 3000))
def test_what_is_packed_comes_back(data: bytes) -> None:
    codec, payload = chunks.pack(data)
    assert chunks.unpack(codec, bytes(payload), len(data), _no_base) == data


@given(base=st.binary(min_size=1, max_size=3000), data=st.binary(max_size=3000))
def test_a_difference_comes_back(base: bytes, data: bytes) -> None:
    """Also where the two have nothing in common."""
    name = chunks.digest(base)
    packed = chunks.pack_delta(data, name, base, 0)
    if packed is not None:
        assert len(packed[1]) < len(data)
        assert chunks.unpack(packed[0], packed[1], len(data), {name: base}.__getitem__) == data


@pytest.mark.parametrize("size", [200, 100_000, 3_000_000])
def test_a_small_change_makes_a_small_difference(size: int) -> None:
    """A difference costs what changed, also far from the end of a large predecessor."""
    base = random.Random(size).randbytes(size)
    data = base[: size // 2] + b"changed" + base[size // 2 :]
    packed = chunks.pack_delta(data, chunks.digest(base), base, 0)
    assert packed is not None
    assert len(packed[1]) < 200 + size // 500
    assert chunks.unpack(packed[0], packed[1], len(data), lambda _: base) == data


def test_a_row_of_differences_is_bounded() -> None:
    assert chunks.pack_delta(b"x" * 900, chunks.digest(b"y"), b"x" * 900, chunks.MAX_DEPTH) is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000_000), st.integers(0, 2**32))
def test_the_pieces_make_the_whole(size: int, seed: int) -> None:
    data = random.Random(seed).randbytes(size)
    pieces = chunks.cut(data)
    assert b"".join(pieces) == data
    assert all(len(piece) <= max(chunks.MAX_SIZE, chunks.CUT_ABOVE) for piece in pieces)


def test_an_insertion_at_the_front_changes_few_pieces() -> None:
    data = random.Random(1).randbytes(4 << 20)
    before = {chunks.digest(piece) for piece in chunks.cut(data)}
    after = [chunks.digest(piece) for piece in chunks.cut(b"inserted" + data)]
    assert sum(name not in before for name in after) <= 3


@pytest.mark.parametrize("codec", [chunks.Codec.ZSTD, chunks.Codec.DELTA])
def test_garbage_is_damage(codec: int) -> None:
    with pytest.raises(Integrity):
        chunks.unpack(codec, b"\x01garbage" * 9, 70, lambda _: b"base")
    with pytest.raises(Integrity):
        chunks.unpack(chunks.Codec.DELTA, b"short", 70, lambda _: b"base")


def test_an_unknown_codec_is_refused_with_words() -> None:
    with pytest.raises(Newer, match="Upgrade"):
        chunks.unpack(99, b"x", 1, _no_base)
