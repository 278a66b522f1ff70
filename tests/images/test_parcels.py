"""Process images as files: where what they hold lies while one is taken in."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from pathlib import Path

import pytest

from jupyter_rewind.errors import Integrity
from jupyter_rewind.kernels.images.parcels import import_image
from jupyter_rewind.store.repository import Repository


@pytest.mark.parametrize("encrypt", [True, False])
def test_nothing_of_an_image_lies_in_the_clear_in_an_encrypted_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encrypt: bool
) -> None:
    """Its parts are unpacked beside the file, which holds all of them in the clear; whoever kills
    the command leaves them there, and not in the store."""
    used: list[Path] = []
    make = tempfile.mkdtemp

    def told(suffix: str | None = None, prefix: str | None = None, dir: Path | None = None) -> str:
        used.append(dir or Path())
        return make(suffix, prefix, dir)

    source = tmp_path / "usb" / "kernel.image"
    source.parent.mkdir()
    with tarfile.open(source, "w:gz") as archive:
        head = json.dumps({"format": 1, "image": {}, "parts": {"pages": "none"}}).encode()
        for name, data in (("rewind-image.json", head), ("pages", b"a password")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with Repository.open(
        tmp_path / "store", key_folder=tmp_path / "keys", encrypt=encrypt
    ) as repository:
        monkeypatch.setattr(tempfile, "mkdtemp", told)
        with pytest.raises(Integrity, match="part pages"):
            import_image(repository, source)
    assert used == [source.parent if encrypt else tmp_path / "store"]
