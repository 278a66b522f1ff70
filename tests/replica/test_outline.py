"""Outlines of packs: what is kept of a pack, and what is left out, tell it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.model.ids import StoreId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.framing import HEAD_SIZE, MAGIC, OVERHEAD, Kind, Seal, frame
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.outline import (
    BASE_SIZE,
    LEAST_BYTES,
    Outline,
    decode_outline,
    encode_outline,
    make_outline,
)
from tests.support.stores import noise

LAYOUT = Layout(Path("nowhere"), StoreId("5" * 32), bytes(range(32)))
PACK = "packs/00/" + "0" * 64
Said = tuple[Kind, int, int]


def records(said: list[Said]) -> bytes:
    """Records of these kinds, codecs and sizes, one after the other."""
    seal, data = Seal(LAYOUT.key, LAYOUT.store_id, "segment"), bytearray()
    for number, (kind, codec, size) in enumerate(said):
        payload = noise(f"{number}", size)
        name = chunks.digest(payload)
        head, _, tag = frame(seal, len(data), kind, codec, size, name, payload)
        data += head + payload + tag
    return bytes(data)


def told_again(outline: Outline, data: bytes) -> bytes:
    """The pack, from its outline and from `data` where that leaves something out."""
    pack = bytearray(outline.size)
    for start, end in outline.left_out:
        pack[start:end] = data[start:end]
    for at, piece in outline.pieces(0, outline.size):
        pack[at : at + len(piece)] = piece
    return bytes(pack)


said = st.lists(
    st.tuples(st.sampled_from(Kind), st.sampled_from([0, 1, 2]), st.integers(0, 3 * LEAST_BYTES)),
    max_size=8,
)


@given(said, st.integers(0, 5000), st.integers(0, 5000))
def test_an_outline_and_what_it_leaves_out_are_the_pack(
    said: list[Said], cut: int, rest: int
) -> None:
    """Wherever a pack begins and ends, each byte is kept or left out, once; only payloads of
    chunks that begin in it are left out, and nothing that a delta begins with."""
    data = records(said)
    data = data[cut : max(len(data) - rest, 0)]
    outline = make_outline(data)
    if outline is None:
        return
    assert told_again(outline, data) == data
    payloads, at = [], -cut
    for kind, codec, size in said:
        first = at + HEAD_SIZE + (BASE_SIZE if codec == 2 else 0)
        if kind is Kind.CHUNK:
            payloads.append((first, at + HEAD_SIZE + size))
        at += OVERHEAD + size
    for start, end in outline.left_out:
        assert any(first <= start < end <= last for first, last in payloads)


@given(said, st.integers(0, 9000), st.integers(0, 9000))
def test_a_part_of_a_pack_is_told_by_its_own_pieces(said: list[Said], start: int, end: int) -> None:
    """What is kept of a part is what is kept of the pack there."""
    data = records([*said, (Kind.CHUNK, 0, 9000)])
    outline = make_outline(data)
    assert outline is not None
    start, end = min(start, end, len(data)), min(max(start, end), len(data))
    part = bytearray(end - start)
    for at, piece in outline.pieces(start, end):
        part[at - start : at - start + len(piece)] = piece
    for first, last in outline.left_out:
        low, high = max(first, start), min(last, end)
        if low < high:
            part[low - start : high - start] = data[low:high]
    assert bytes(part) == data[start:end]


def test_content_that_looks_like_records_is_content() -> None:
    """A payload that holds records, as a copy of a segment does, is left out as one."""
    inside = records([(Kind.CHUNK, 0, 3000), (Kind.NODE, 0, 300), (Kind.CHUNK, 0, 3000)])
    seal = Seal(LAYOUT.key, LAYOUT.store_id, "segment")
    name = chunks.digest(inside)
    head, _, tag = frame(seal, 0, Kind.CHUNK, 0, len(inside), name, inside)
    outline = make_outline(head + inside + tag)
    assert outline is not None
    assert outline.left_out == ((HEAD_SIZE, HEAD_SIZE + len(inside)),)


@pytest.mark.parametrize("data", [b"", MAGIC, MAGIC * 300, noise("none", 50_000)])
def test_what_holds_no_records_has_no_outline(data: bytes) -> None:
    """It would be the pack once more."""
    assert make_outline(data) is None


def test_an_outline_is_believed_only_as_it_was_made() -> None:
    """Cut short anywhere, changed, or of another pack or store, it counts as none."""
    data = records([(Kind.CHUNK, 0, 5000), (Kind.NODE, 0, 200)])
    outline = make_outline(data)
    assert outline is not None
    told = encode_outline(outline, PACK, LAYOUT)
    assert decode_outline(told, PACK, LAYOUT) == outline
    for size in range(len(told)):
        assert decode_outline(told[:size], PACK, LAYOUT) is None
        changed = told[:size] + bytes([told[size] ^ 1]) + told[size + 1 :]
        assert decode_outline(changed, PACK, LAYOUT) is None
    assert decode_outline(told, PACK.replace("00", "01"), LAYOUT) is None
    other = Layout(LAYOUT.folder, LAYOUT.store_id, bytes(32))
    assert decode_outline(told, PACK, other) is None
