"""What a save wrote, remembered until it is stored."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from jupyter_rewind.faces.server import readings as module
from jupyter_rewind.faces.server.reading import Reading, Stamp
from jupyter_rewind.faces.server.readings import Readings
from jupyter_rewind.faces.server.transcript import Transcript
from jupyter_rewind.settings import Rewind

LARGE = module.SMALL_BYTES + 1
TEXTS = {"ascii": "a" * LARGE, "accents": "é" * LARGE, "emoji": "x" * LARGE + "🙂"}


def write(path: Path, *parts: str, encoding: str = "utf-8") -> Transcript:
    """As a save does it, with what it wrote remembered."""
    with open(path, "w", encoding=encoding) as stream:
        transcript = Transcript(stream, 7)
        for part in parts:
            transcript.write(part)
        transcript.end(str(path))
    return transcript


@pytest.fixture
def readings() -> Readings:
    return Readings(Rewind())


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_large_save_is_in_memory_without_being_put_together(
    tmp_path: Path, readings: Readings, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer does not wait for the bytes, and whoever overwrites the file changes nothing."""
    path = tmp_path / "a.ipynb"
    written = write(path, text, "\n")
    stamp = Stamp.of(os.stat(path))
    reading = readings.open(str(path), written)
    with monkeypatch.context() as patch:
        patch.delattr(Transcript, "read")
        assert readings.take_at_once(reading)
    assert reading.is_taken and reading.stamp == stamp and reading.held_bytes >= LARGE
    path.write_text("of another server")
    assert reading.take() == f"{text}\n".encode()
    assert reading.take() == f"{text}\n".encode()
    assert reading.stamp == stamp
    reading.drop()
    assert reading.held_bytes == 0


def test_a_file_that_another_wrote_to_meanwhile_has_no_stamp_of_ours(
    tmp_path: Path, readings: Readings
) -> None:
    """Then what stands there is looked at again; what the save wrote is kept all the same."""
    path = tmp_path / "a.ipynb"
    with open(path, "w") as stream:
        written = Transcript(stream, 7)
        written.write("a" * LARGE)
        stream.flush()
        with open(path, "a") as other:
            other.write("b")
        written.end(str(path))
    reading = readings.open(str(path), written)
    assert readings.take_at_once(reading)
    assert reading.take() == b"a" * LARGE
    assert reading.stamp is None


def test_what_no_string_tells_is_read_from_the_disk(tmp_path: Path) -> None:
    """Of a file that was written in ways that are not followed, or in another encoding."""
    path = tmp_path / "a.txt"
    with open(path, "w") as stream:
        followed = Transcript(stream, 7)
        followed.write("a" * LARGE)
        followed.seek(0)
        followed.end(str(path))
    latin = write(tmp_path / "b.txt", "é" * LARGE, encoding="latin-1")
    for place, written in (("a.txt", followed), ("b.txt", latin)):
        reading = Reading(str(tmp_path / place), limit_bytes=1 << 30, written=written)
        assert not reading.secure()
        assert reading.take() == (tmp_path / place).read_bytes()


def test_what_may_be_larger_than_the_limit_is_not_held_as_strings(tmp_path: Path) -> None:
    """How many bytes the characters take is not known before they are put together."""
    path = tmp_path / "a.ipynb"
    written = write(path, "é" * LARGE)
    reading = Reading(str(path), limit_bytes=LARGE, written=written)
    assert not reading.secure()
    assert reading.take() is None
    assert reading.too_large


def test_what_was_written_as_bytes_is_certain(tmp_path: Path) -> None:
    """A file that is no text."""
    stream = io.BytesIO()
    transcript = Transcript(stream, 7)
    transcript.write(b"ab")
    transcript.write(b"c")
    assert transcript.is_certain
    assert transcript.read() == b"abc"
