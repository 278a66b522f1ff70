"""Small rooms and stages, so that a few kilobytes go through every path of the writer."""

from __future__ import annotations

import pytest

from jupyter_rewind.store import room, writer


@pytest.fixture(autouse=True)
def small_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RESERVE", 1 << 14)
    monkeypatch.setattr(writer, "_STAGE", 1 << 13)
    monkeypatch.setattr(writer, "MAX_SEGMENT", 1 << 15)
    monkeypatch.setattr(writer, "GROUP_SECONDS", 3600.0)
