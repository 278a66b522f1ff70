"""Large texts and bytes: told in pieces, and back as they were."""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_digest

from jupyter_rewind.kernels import texts
from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.kernels.nans import may_hold_nan
from jupyter_rewind.kernels.sink import Sink, Stream
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

_LETTERS = st.one_of(
    st.characters(max_codepoint=255),
    st.characters(categories=("Cs", "Lo", "So", "Nd")),
    st.sampled_from("\ud83d\ude00😀\ufeff\x00\r\n"),
)


@given(st.text(_LETTERS, max_size=60), st.integers(1, 20))
def test_a_text_comes_back_from_its_pieces(text: str, piece: int) -> None:
    """Whatever letters it has, halves of surrogate pairs among them, and wherever it was cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "LARGE", 0)
        patch.setattr(texts, "_PIECE", piece)
        box = texts.Texts().boxed(text)
        assert pickle.loads(pickle.dumps(box, protocol=5)) == text
        has_half = any(0xD800 <= ord(letter) < 0xE000 for letter in text)
        assert has_half or isinstance(box, texts.Text)
        told = texts.token_of([text, text], lambda: None)
        same, other = "".join(text), f"{text[:-1]}x"
        assert (texts.token_of([same], lambda: None) == told) == (same == text)
        assert (texts.token_of([other], lambda: None) == told) == (other == text)


@pytest.mark.parametrize(
    "text",
    [
        "'plain ' * 300_000", "'é' + 'x' * 5_000_000", "'x' * 5_000_000 + '中'",
        "'😀' * 1_200_000", "'\\ud83d\\ude00' * 700_000", "'a' + '\\udc80' * 1_100_000",
    ],
)  # fmt: skip
def test_a_large_text_is_as_it_was(tmp_path: Path, text: str) -> None:
    """As a variable, in a list and in Out, in the same kernel and in a new one."""
    cells = Cells(tmp_path)
    wanted: str = eval(text)
    first = cells.run(f"t = {text}; also = t; held = [t]; _oh[1] = t")
    cells.run("t = t[:10]; held = None; also += '!'; _oh.clear()")
    cells.go(first)
    cells.close()
    new = Cells(tmp_path, run="new")
    new.go(first)
    for namespace in (cells.namespace, new.namespace):
        found = [namespace["t"], namespace["also"], *namespace["held"], namespace["_oh"][1]]
        assert all(one == wanted and type(one) is str for one in found)
        assert len(found) == 4 and found[0] is found[1]
    new.close()


def test_a_change_in_a_large_text_is_kept_as_a_small_delta(tmp_path: Path) -> None:
    """Two letters put in at its front: the rest of six million is stored already."""
    cells = Cells(tmp_path)
    letters = random.Random(0)
    cells.namespace["t"] = "".join(letters.choices("abcdefghijklmnopé中", k=6_000_000))
    cells.run("pass")
    small = cells.run("t = '>>' + t")
    cells.capturer.keeper.settle()
    assert small.new_bytes < 1_500_000
    cells.close()


_PARTS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from((1 << 16, 1 << 20, 3 << 20)).map(lambda size: b"G\x7f\xf8R\x94" * size),
        st.floats(allow_nan=False),
        st.integers(0, 40_000).map(lambda count: [str(each) for each in range(count)]),
    ),
    max_size=6,
)


@given(_PARTS)
def test_a_stream_is_what_pickle_wrote_and_reads_as_it(parts: list[Any]) -> None:
    """Whatever stands in large payloads is no opcode."""
    sink = Sink(lambda: None)
    pickle.Pickler(sink, protocol=5).dump(parts)
    stream = sink.taken()
    whole = b"".join(stream.segments)
    assert pickle.loads(whole) == parts
    assert len(stream) == len(whole)
    assert stream.digest() == xxh3_128_digest(whole)
    large = [one for one in parts if isinstance(one, bytes) and len(one) >= 1 << 20]
    assert sum(any(each is one for each in stream.segments) for one in set(large)) == len(
        set(large)
    )
    small = [one for one in parts if isinstance(one, bytes) and len(one) < 1 << 20]
    assert may_hold_nan(stream) == any(b"G\x7f\xf8" in one for one in small)


def test_a_nan_is_found_behind_a_large_payload() -> None:
    """It is told behind what no look is taken into."""
    sink = Sink(lambda: None)
    pickle.Pickler(sink, protocol=5).dump([b"x" * 2_000_000, float("nan")])
    assert may_hold_nan(sink.taken())
    assert not may_hold_nan(Stream([b"nothing"]))


def test_a_text_that_there_is_no_time_for_costs_itself_alone(tmp_path: Path) -> None:
    """The state of each cell is kept without it, however large it is."""
    cells = Cells(tmp_path, options=CaptureOptions(budget_floor_seconds=0.01))
    cells.run("pass")
    for source in ("t = 'x' * 60_000_000; a = [1]", "a.append(2)", "b = 5", "k = len(t)"):
        told = cells.try_run(source, seconds=0.1)
        assert told.snapshot is not None and tuple(told.late) == ("t",), source
    cells.close()


def no_memory() -> None:
    raise MemoryError


def test_a_text_that_could_not_be_told_is_told_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was no memory for it; where the user asks for the present to be kept, there is."""
    cells = Cells(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(texts, "BytesIO", no_memory)
        first = cells.run("t = 'x' * 2_000_000")
    again = cells.capturer.keep_present(asked=True)
    told = [report(cells.store, state)[0].fidelity for state in (first, again) if state]
    assert told == [Fidelity.MISSING, Fidelity.EXACT]
    cells.close()
