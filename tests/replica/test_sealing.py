"""Encrypted replicas: what lies there tells nobody anything without the key, and all with it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind.errors import Conflict, Denied, Format, Integrity, InvalidInput, Newer
from jupyter_rewind.store import keyfiles
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.address import parse_address, with_encryption
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.cloud import CloudObjects
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pull import found_store
from jupyter_rewind.store.replica.refs import pack_name
from jupyter_rewind.store.replica.standing import compare
from tests.support.replicas import URL, Machine, committed_bytes, first_machine, holds, next_machine
from tests.support.stores import Filled, QuickFiles, noise

WORDS = b"The patient's name is Ada Lovelace. " * 40


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "replica"
    folder.mkdir()
    return folder


@pytest.fixture
def first(tmp_path: Path, place: Path) -> Machine:
    """A machine that has pushed words and noise, little and much, encrypted."""
    machine = first_machine(tmp_path / "a", FolderObjects(place, QuickFiles()))
    for parts in ([WORDS], [noise("large", 3 << 20), WORDS]):
        with machine.open() as repository:
            machine.filled.add(repository, parts=parts)
        machine.push(sealed=True)
    return machine


def layout_of(machine: Machine) -> Layout:
    with machine.open() as repository:
        return repository.layout


def everything(place: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


def look(machine: Machine, *, read_data: bool = True) -> list[str]:
    share = float(read_data)
    report = check(layout_of(machine), QuickFiles(), machine.objects, read_share=share)
    return [each.key for each in report.faults]


def test_nothing_of_the_contents_lies_there(first: Machine, place: Path) -> None:
    """No piece of any segment, no segment's name, and no digest of a pack in the clear."""
    lies = everything(place)
    segments = committed_bytes(first)
    for key, data in lies.items():
        for name, content in segments.items():
            assert name.encode() not in data
            pieces = [content[at : at + 24] for at in range(0, min(len(content), 9000) - 24, 24)]
            assert not any(piece in data for piece in pieces), key
    packs = [key for key in lies if key.startswith("packs/")]
    whole = [pack_name(data[at:]) for data in segments.values() for at in (0, 64)]
    assert packs and not set(packs) & set(whole)


def test_a_machine_with_the_key_has_everything(tmp_path: Path, first: Machine) -> None:
    """The same bytes as on the first one; pushes and pulls go on between them."""
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)
    assert committed_bytes(second) == committed_bytes(first)
    second.save(2)
    second.push()
    first.pull()
    assert holds(first, first, second)
    assert look(first) == look(second, read_data=False) == []
    with first.open() as repository:
        assert compare(repository, first.objects, URL).behind_bytes == 0


def test_the_key_on_paper_is_enough(tmp_path: Path, first: Machine) -> None:
    """An empty machine, the replica and an exported key: all is back, byte for byte."""
    paper = tmp_path / "paper.txt"
    keyfiles.export_key(layout_of(first), paper, QuickFiles())
    assert paper.stat().st_mode & 0o777 == 0o600
    expected = committed_bytes(first)
    shutil.rmtree(tmp_path / "a" / "store")
    shutil.rmtree(tmp_path / "a" / "keys")
    keys = tmp_path / "empty" / "keys"
    keys.parent.mkdir()
    _, path, is_new = keyfiles.import_key(paper, keys, QuickFiles())
    assert is_new and path.stat().st_mode & 0o777 == 0o600
    assert not keyfiles.import_key(paper, keys, QuickFiles())[2]
    second = Machine(Filled(tmp_path / "empty"), first.objects)
    second.pull()
    assert committed_bytes(second) == expected


def test_without_the_key_one_sentence_says_so(tmp_path: Path, first: Machine) -> None:
    """No key, and a wrong one, are refused before anything is made."""
    keys, store = tmp_path / "c" / "keys", tmp_path / "c" / "store"
    keys.mkdir(parents=True)
    with pytest.raises(Denied, match="is not on this machine") as caught:
        found_store(store, keys, first.objects, QuickFiles())
    assert caught.value.code == "no_key"
    [key] = (tmp_path / "a" / "keys").iterdir()
    (keys / key.name).write_bytes(bytes(32))
    with pytest.raises(Integrity, match=r"is not the key of the store in the replica") as wrong:
        found_store(store, keys, first.objects, QuickFiles())
    assert wrong.value.message.count(".") <= 2 and not store.exists()


@pytest.mark.parametrize("at", [0, 4, 7, 20, -1])
def test_any_bit_that_was_changed_is_told(
    at: int, tmp_path: Path, first: Machine, place: Path
) -> None:
    """In a ref and in a pack; nothing of it is pulled."""
    for top in ("refs", "packs"):
        path = sorted(each for each in (place / top).rglob("*") if each.is_file())[-1]
        before = path.read_bytes()
        data = bytearray(before)
        data[at] ^= 1
        path.write_bytes(data)
        assert look(first)
        with pytest.raises((Integrity, Format, Newer)):
            next_machine(tmp_path / f"b-{top}", first).pull()
        path.write_bytes(before)
    assert look(first) == []


def test_objects_cannot_change_places(tmp_path: Path, first: Machine, place: Path) -> None:
    """A sealed object is good under its own name alone."""
    one, two = sorted(path for path in (place / "refs").rglob("*") if path.is_file())
    two.write_bytes(one.read_bytes())
    assert look(first)
    with pytest.raises(Integrity):
        next_machine(tmp_path / "b", first).pull()


def test_nothing_goes_there_in_the_clear_by_mistake(tmp_path: Path, place: Path) -> None:
    """Where the address asks for encryption, a replica without it gets nothing, one that somebody
    else put in the place of an encrypted one included."""
    machine = first_machine(tmp_path / "a", FolderObjects(place, QuickFiles()))
    machine.push()
    before = everything(place)
    machine.save()
    with pytest.raises(Conflict, match="is not encrypted"):
        machine.push(sealed=True)
    assert everything(place) == before


def test_an_encrypted_replica_stays_so(tmp_path: Path, first: Machine, place: Path) -> None:
    """A machine that does not ask for encryption pushes encrypted all the same."""
    second = next_machine(tmp_path / "b", first)
    second.pull()
    with second.open() as repository:
        second.filled.add(repository, parts=[noise("only here", 700)])
    second.push()
    assert not any(noise("only here", 700)[:24] in data for data in everything(place).values())
    first.pull()
    assert holds(first, first, second)


def test_a_later_way_of_encryption_is_refused(first: Machine, place: Path) -> None:
    """With words, not half read."""
    path = place / "rewind-replica"
    path.write_bytes(path.read_bytes().replace(b"aes-256-gcm", b"rot-13-gcm!"))
    with pytest.raises(Newer):
        first.push()


def test_two_replicas_share_no_secret(tmp_path: Path) -> None:
    """The same store in two places: no object and no name of a pack is the same."""
    machine = first_machine(tmp_path / "a", CloudObjects(MemoryStore(), "memory"))
    with machine.open() as repository:
        machine.filled.add(repository, parts=[noise("large", 3 << 20)])
    places: list[Objects] = [CloudObjects(MemoryStore(), str(n)) for n in range(2)]
    names = []
    for number, objects in enumerate(places):
        machine.objects, machine.url = objects, f"test://{number}"
        machine.push(sealed=True)
        names.append({each.key for each in objects.find("packs/")})
    assert names[0] and not names[0] & names[1]


def test_an_address_says_it() -> None:
    """In the address, so that each replica has its own say."""
    for text in ("file:///a/b", "s3://bucket/p", "s3://bucket/p?region=x"):
        assert not parse_address(text).encrypt
        sealed = with_encryption(text)
        assert parse_address(sealed).encrypt and with_encryption(sealed) == sealed
    with pytest.raises(InvalidInput, match="can only be yes"):
        parse_address("s3://bucket/p?encrypt=no")


def test_without_the_library_the_way_to_install_it_is_told(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is pushed in its place."""
    machine = first_machine(tmp_path / "a", FolderObjects(place, QuickFiles()))
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(InvalidInput, match="cryptography") as caught:
        machine.push(sealed=True)
    assert "jupyter-rewind[replica]" in caught.value.hint and not everything(place)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("rewind-key-1", "rewind-key-9"),
        lambda text: text[:-3] + ("0" if text[-3] != "0" else "1") + text[-2:],
        lambda text: text + "more\n",
        lambda text: "",
        lambda text: text.replace(" ", "  "),
        lambda text: "\x00" * 40,
    ],
)
def test_a_key_with_a_slip_is_refused(
    tmp_path: Path, first: Machine, spoil: Callable[[str], str]
) -> None:
    """Copied by hand, with one character wrong, or another file: nothing is put anywhere."""
    paper = tmp_path / "paper.txt"
    keyfiles.export_key(layout_of(first), paper, QuickFiles())
    paper.write_text(spoil(paper.read_text()))
    with pytest.raises(Format):
        keyfiles.import_key(paper, tmp_path / "new-keys", QuickFiles())
    assert not (tmp_path / "new-keys").exists()


def test_a_key_replaces_no_other(tmp_path: Path, first: Machine) -> None:
    """Neither a file when it is exported nor a key when it is imported."""
    paper = tmp_path / "paper.txt"
    paper.write_text("mine")
    with pytest.raises(Conflict):
        keyfiles.export_key(layout_of(first), paper, QuickFiles())
    assert paper.read_text() == "mine"
    paper.unlink()
    keyfiles.export_key(layout_of(first), paper, QuickFiles())
    [key] = (tmp_path / "a" / "keys").iterdir()
    keys = tmp_path / "others"
    keys.mkdir()
    (keys / key.name).write_bytes(bytes(32))
    with pytest.raises(Conflict, match="another key"):
        keyfiles.import_key(paper, keys, QuickFiles())
    assert (keys / key.name).read_bytes() == bytes(32)
    assert sorted(path.name for path in keys.iterdir()) == [key.name]
