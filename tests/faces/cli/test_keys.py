"""`jupyter rewind key`, and encrypted copies of the store elsewhere, from a user's chair."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.faces.cli.conftest import FIRST, SECOND, THIRD, Rewind
from tests.faces.cli.test_schema import check


def test_an_encrypted_copy_comes_back_with_the_key_alone(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """Add with --encrypt, export the key, lose the home, import the key, pull."""
    added = rewind("replica", "add", mount.as_uri(), "--encrypt", "--json").data["replicas"][0]
    assert added["encrypted"] and added["url"].endswith("?encrypt=yes")
    assert rewind("replica", "push").status == 0
    texts = [path.read_bytes() for path in mount.rglob("*") if path.is_file()]
    assert len(texts) > 1 and not any(b"nbformat" in text for text in texts)
    paper = home.parent / "paper"
    assert rewind("key", "export", paper).status == 0
    assert rewind("key", "export", paper).status == 4
    shutil.rmtree(home / "data")
    shutil.rmtree(home / "config")
    assert check(rewind("key", "import", paper, "--json").out)["data"]["new"]
    # Nobody says again that it is encrypted: the replica does.
    again = rewind("replica", "add", mount.as_uri(), "--json").data["replicas"][0]
    assert again["encrypted"] and again["url"].endswith("?encrypt=yes")
    assert rewind("replica", "pull").status == 0
    for ref, state in (("head", THIRD), ("head~1", SECOND), ("head~2", FIRST)):
        out = home / f"{ref}.ipynb"
        assert rewind("restore", book, ref, "--output", out).status == 0
        assert out.read_bytes() == state


def test_a_key_is_not_put_into_the_store(home: Path, book: Path, rewind: Rewind) -> None:
    """Each copy of the store would carry what opens it."""
    paper = home / "paper.txt"
    assert rewind("key", "export", paper).status == 0
    [segments] = (home / "data").rglob("segments")
    inside = segments.parent / "keys"
    ended = rewind("key", "import", paper, "--set", f"store.key_folder={inside}")
    assert ended.status == 2 and "inside the store" in ended.err
    assert not inside.exists()


def test_encryption_goes_with_add_alone(rewind: Rewind, mount: Path) -> None:
    """A push cannot be made secret afterwards."""
    assert rewind("replica", "push", "--encrypt").status == 2


def test_a_key_that_became_known_is_changed(
    home: Path, book: Path, rewind: Rewind, mount: Path, tmp_path: Path
) -> None:
    """First it is only told; then the history is the same under another key, the old replica
    gets nothing more and is told why, and a new one begins."""
    url = mount.as_uri()
    assert rewind("replica", "add", url).status == rewind("replica", "push").status == 0
    before = rewind("history", book, "--json").data["checkpoints"]
    keys = home / "config" / "rewind-keys"
    [old] = keys.iterdir()
    told = rewind("key", "rotate")
    assert told.status == 0 and "--yes does it" in told.out and list(keys.iterdir()) == [old]
    done = check(rewind("key", "rotate", "--yes", "--json").out)["data"]
    assert done["replicas"] == [url] and done["old_key"] == str(old)
    assert {old, Path(done["key"])} == set(keys.glob("*.key"))
    assert rewind("history", book, "--json").data["checkpoints"] == before
    assert rewind("verify", "--read-data").status == 0
    refused = rewind("replica", "push")
    assert refused.status == 4 and "another store" in refused.err
    old.unlink()
    assert rewind("show", book, "head", "--raw").status == 0
    other = tmp_path / "another"
    other.mkdir()
    assert rewind("replica", "remove", url).status == 0
    assert rewind("replica", "add", other.as_uri()).status == rewind("replica", "push").status == 0
    assert rewind("key", "export").status == 2


def test_a_store_becomes_encrypted_by_one_command_that_doctor_names(
    home: Path, book: Path, rewind: Rewind
) -> None:
    """The history is the same, the setting and the store are told apart, and back again."""
    before = rewind("history", book, "--json").data["checkpoints"]
    wanted = ("--set", "store.encrypt=true")
    [found] = [
        each for each in rewind(*wanted, "doctor", "--json").data["findings"]
        if each["name"] == "encryption"
    ]  # fmt: skip
    assert (found["state"], found["mend"]) == (
        "problem", "jupyter rewind key rotate --encrypt --yes",
    )  # fmt: skip
    assert rewind("key", "export", home / "copy.key", "--encrypt").status == 2
    done = check(rewind("key", "rotate", "--encrypt", "--yes", "--json").out)["data"]
    assert done["encrypt"] is True
    assert rewind("history", book, "--json").data["checkpoints"] == before
    assert "AES-256-GCM" in rewind("doctor").out
    assert rewind("key", "rotate", "--decrypt", "--yes").status == 0
    assert rewind("history", book, "--json").data["checkpoints"] == before


def test_what_cannot_be_encrypted_here_is_not_promised(
    book: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the library the look ahead is refused as the change itself is, and says what to
    install; another key alone needs no library."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    for words in (["--encrypt"], ["--encrypt", "--yes"]):
        told = rewind("key", "rotate", *words)
        assert told.status == 6 and "pip install cryptography" in told.err, words
    assert rewind("key", "rotate").status == 0
