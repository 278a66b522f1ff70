"""A store that is encrypted: who has its files alone learns sizes and times, and all works."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from jupyter_rewind.errors import Conflict, Denied, Full, Integrity
from jupyter_rewind.kernels.records import retell_snapshot
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.encryption import StoreCipher
from jupyter_rewind.store.keep import KernelStore
from jupyter_rewind.store.layout import Layout, open_layout
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.rotation import rotate
from jupyter_rewind.store.salvage import salvage
from jupyter_rewind.store.verify import verify

SECRET = b"an unpublished result, "
BODY = {"label": "the secret label"}
LARGE = b"".join(number.to_bytes(4, "big") * 3 + SECRET for number in range(20_000))


def opened(folder: Path, *, encrypt: bool = True) -> Repository:
    return Repository.open(folder / "store", key_folder=folder / "keys", encrypt=encrypt)


def fill(repository: Repository, rounds: int = 3) -> list[bytes]:
    """Contents of all forms, small ones told as differences among them, by their places."""
    kept = []
    base = None
    for number in range(rounds):
        raw = SECRET * 200 + str(number).encode()
        with repository.transaction() as tx:
            large = tx.put(LARGE + raw)
            node = tx.put_node(raw, large, base=base)
            tx.add("checkpoint", keys=["p:/home/me/secret.ipynb"], body=BODY, roots=[node])
        base = node
        kept.append(node)
    return kept


def in_the_clear(folder: Path) -> list[str]:
    """The files below `folder` that tell what was kept, or how it is called."""
    words = (SECRET, b"secret", BODY["label"].encode())
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in words)
    ]


def contents(repository: Repository) -> list[tuple[bytes, str]]:
    repository.refresh()
    return [
        (repository.get(entry.roots[0])[-20:], str(entry.body["label"]))
        for entry in repository.entries(kind="checkpoint")
    ]


def test_what_is_kept_comes_back_and_stands_nowhere_in_the_clear(tmp_path: Path) -> None:
    with opened(tmp_path) as repository:
        fill(repository)
        told = contents(repository)
        assert in_the_clear(tmp_path / "store") == []
    with opened(tmp_path, encrypt=False) as again:
        assert contents(again) == told and len(told) == 3
    assert in_the_clear(tmp_path / "store") == []


def test_a_store_in_the_clear_would_be_told(tmp_path: Path) -> None:
    """What the test above looks for is there to be found, without encryption."""
    with opened(tmp_path, encrypt=False) as repository:
        fill(repository)
    assert in_the_clear(tmp_path / "store") != []


def test_contents_that_others_know_cannot_be_recognised(tmp_path: Path) -> None:
    """The name of a content in the files is not that which anybody can compute."""
    with opened(tmp_path) as repository:
        [name] = fill(repository, rounds=1)
        [segment] = repository.layout.segments.glob("[!.]*")
        data = segment.read_bytes()
        assert name not in data
        assert repository.layout.cipher is not None
        assert repository.layout.cipher.hide_name(name) in data


def test_the_same_content_is_stored_once(tmp_path: Path) -> None:
    with opened(tmp_path) as repository:
        fill(repository, rounds=1)
        before = repository.writer.end
        with repository.transaction() as tx:
            tx.put(LARGE + SECRET * 200 + b"0")
        assert repository.writer.end - before < 1000


def test_a_kernel_and_a_server_read_what_the_other_wrote(tmp_path: Path) -> None:
    keep = KernelStore.open(tmp_path / "store", key_folder=tmp_path / "keys", encrypt=True)
    with opened(tmp_path) as repository:
        with keep.block() as block:
            names = block.put(LARGE)
            node = block.put_node(b"state", names)
            block.add("snapshot", keys=["r:1"], body={}, roots=[node])
        repository.refresh()
        assert b"".join(repository.get(name) for name in names) == LARGE
        [other, *_] = fill(repository)
        assert keep.get(other).endswith(SECRET * 200 + b"0")
        target = bytearray(len(repository.get(names[0])))
        keep.get_into(names[0], memoryview(target))
        assert target == repository.get(names[0])
    keep.close()


def test_verify_reads_all_of_it_and_names_one_changed_byte(tmp_path: Path) -> None:
    with opened(tmp_path) as repository:
        fill(repository)
        assert verify(repository, read_data=True).ok
        [segment] = repository.layout.segments.glob("[!.]*")
    data = bytearray(segment.read_bytes())
    data[len(data) // 3] ^= 1
    segment.write_bytes(data)
    with opened(tmp_path) as repository:
        assert not verify(repository, read_data=True).ok


def test_what_was_damaged_is_stored_again_with_the_next_save(tmp_path: Path) -> None:
    """As in a store in the clear: the same content heals it, for a server and for a kernel."""
    with opened(tmp_path) as repository:
        fill(repository, rounds=1)
        with repository.transaction() as tx:
            [name] = tx.put(SECRET * 90)
            tx.add("note", keys=["k"], body={}, roots=[name])
        with repository.index() as index:
            place = index.places(name)[0]
            at = (place.segment, place.record.offset)
    path = tmp_path / "store" / "segments" / at[0]
    data = bytearray(path.read_bytes())
    data[at[1] + 80] ^= 1
    path.write_bytes(data)
    with opened(tmp_path) as repository:
        repository.refresh()
        with pytest.raises(Integrity):
            repository.get(name)
        with repository.transaction() as tx:
            assert tx.put(SECRET * 90) == (name,)
            tx.add("note", keys=["k"], body={}, roots=[name])
        assert repository.get(name) == SECRET * 90


def test_indexes_of_earlier_keys_do_not_stay_either(tmp_path: Path) -> None:
    """The index lay elsewhere, then the key was changed, and only then the store was encrypted.
    Another store's stays, though its key lies beside this one's."""
    theirs = tmp_path / "elsewhere" / "index-1-other.sqlite"
    with Repository.open(
        tmp_path / "other", key_folder=tmp_path / "keys", index_path=theirs
    ) as other:
        other.refresh()
    place, keys = tmp_path / "elsewhere" / "index-1.sqlite", tmp_path / "keys"
    for encrypt in (None, True):
        with Repository.open(tmp_path / "store", key_folder=keys, index_path=place) as repository:
            fill(repository)
            layout = repository.layout
        rotate(layout, keys, Files(), retell_snapshot, encrypt=encrypt, indexes=[place])
    assert in_the_clear(tmp_path) == [] and theirs.exists()


@pytest.mark.parametrize("is_decrypting", [False, True])
def test_what_a_rotation_left_that_was_not_decided_goes_with_the_next_collect(
    tmp_path: Path, is_decrypting: bool
) -> None:
    """A full disk cleans up at once; what a killed one leaves may be the store in the clear."""
    with opened(tmp_path) as repository:
        fill(repository)
        layout = repository.layout

    class Filled(Files):
        def replace_file(self, path: Path, data: bytes, mode: int = 0o600) -> None:
            if path.name == "rotating":
                raise Full("no room")
            super().replace_file(path, data, mode)

    with pytest.raises(Full):
        rotate(layout, tmp_path / "keys", Filled(), retell_snapshot, encrypt=not is_decrypting)
    assert [*layout.segments.glob(".rekeyed-*")] == [] and in_the_clear(layout.folder) == []
    (layout.segments / ".rekeyed-0123456789abcdef").write_bytes(SECRET)
    with opened(tmp_path) as repository:
        collect(repository)
    assert in_the_clear(layout.folder) == []


@pytest.mark.parametrize("named", ["another.sqlite", "index-1-0123456789abcdef.sqlite"])
def test_no_index_stays_in_the_clear(tmp_path: Path, named: str) -> None:
    """Neither beside the segments nor where the settings say, nor beside that."""
    place = tmp_path / "elsewhere" / named
    with Repository.open(
        tmp_path / "store", key_folder=tmp_path / "keys", index_path=place
    ) as repository:
        fill(repository)
        layout = repository.layout
    with opened(tmp_path, encrypt=False) as repository:
        repository.refresh()
    rotate(
        layout, tmp_path / "keys", Files(), retell_snapshot, encrypt=True,
        indexes=[place.with_name("another.sqlite")],
    )  # fmt: skip
    assert in_the_clear(tmp_path) == []


def test_a_salvage_into_another_store_is_encrypted_too(tmp_path: Path) -> None:
    with opened(tmp_path) as repository:
        fill(repository)
        told = contents(repository)
    salvage(tmp_path / "store", key_folder=tmp_path / "keys", into=tmp_path / "new")
    assert in_the_clear(tmp_path / "new") == []
    with Repository.open(tmp_path / "new", key_folder=tmp_path / "keys") as copy:
        assert contents(copy) == told and copy.layout.is_encrypted
    with Repository.open(tmp_path / "clear", key_folder=tmp_path / "keys") as copy:
        pass
    with pytest.raises(Conflict, match="is encrypted"):
        salvage(tmp_path / "store", key_folder=tmp_path / "keys", into=tmp_path / "clear")


def test_a_store_in_the_clear_is_salvaged_without_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, encrypt=False) as repository:
        fill(repository)
        told = contents(repository)
    with opened(tmp_path / "another", encrypt=False):
        pass
    for key in (tmp_path / "another" / "keys").iterdir():
        key.rename(tmp_path / "keys" / f"0{key.name}")
    (tmp_path / "store" / "config").unlink()
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    salvage(tmp_path / "store", key_folder=tmp_path / "keys")
    with opened(tmp_path, encrypt=False) as repository:
        assert contents(repository) == told


def test_collect_moves_what_is_needed_and_it_stays_hidden(tmp_path: Path) -> None:
    with opened(tmp_path) as repository:
        fill(repository, rounds=6)
        doomed = repository.entries(kind="checkpoint")[:4]
    with opened(tmp_path) as repository:
        repository.refresh()
        told = contents(repository)[4:]
        with repository.transaction() as tx:
            tx.expire([entry.id for entry in doomed])
        collect(repository)
        assert contents(repository) == told
        assert verify(repository, read_data=True).ok
    assert in_the_clear(tmp_path / "store") == []


@pytest.mark.parametrize(
    "lost", ["a byte of a segment", "the config", "the format in the config", "the first head"]
)
def test_salvage_keeps_what_reads_and_the_store_stays_encrypted(tmp_path: Path, lost: str) -> None:
    with opened(tmp_path) as repository:
        fill(repository)
        told = contents(repository)
        [segment] = repository.layout.segments.glob("[!.]*")
    config = tmp_path / "store" / "config"
    if lost == "the config":
        config.unlink()
    elif lost == "the format in the config":
        config.write_text(json.dumps({**json.loads(config.read_text()), "format": 1}))
    elif lost == "the first head":
        config.unlink()
        segment.write_bytes(b"x" * 64 + segment.read_bytes()[64:])
    else:
        data = bytearray(segment.read_bytes())
        data[-200] ^= 1
        segment.write_bytes(data)
    salvage(tmp_path / "store", key_folder=tmp_path / "keys")
    with opened(tmp_path, encrypt=False) as repository:
        if lost == "the first head":
            # What was told as a difference from it, or shares it, is damaged, too.
            assert len(repository.entries(kind="checkpoint")) >= 2
        else:
            assert contents(repository) == (told[:2] if "byte" in lost else told)
        assert repository.layout.is_encrypted
    assert in_the_clear(tmp_path / "store") == []


def test_without_the_key_nobody_can_take_anything(tmp_path: Path) -> None:
    """Not even salvage, which says so, and makes no empty store."""
    with opened(tmp_path) as repository:
        fill(repository)
    for key in (tmp_path / "keys").iterdir():
        key.unlink()
    with pytest.raises(Denied, match="key"):
        opened(tmp_path)
    for is_there in (True, False):
        if not is_there:
            (tmp_path / "store" / "config").unlink()
        with pytest.raises(Denied, match="encrypted: without its key"):
            salvage(
                tmp_path / "store",
                key_folder=tmp_path / "keys",
                into=tmp_path / "new",
                trust_foreign=True,
            )
    assert not (tmp_path / "new").exists()


def test_nobody_without_the_key_turns_encryption_off(tmp_path: Path) -> None:
    """A config that calls the store one in the clear is refused: saves after it would be, too."""
    with opened(tmp_path) as repository:
        fill(repository)
    config = tmp_path / "store" / "config"
    facts = json.loads(config.read_text())
    assert facts["format"] == 2
    config.write_text(json.dumps({**facts, "format": 1}))
    with pytest.raises(Integrity, match="is not the key"):
        opened(tmp_path)
    assert in_the_clear(tmp_path / "store") == []


def test_a_config_from_before_the_key_was_changed_is_refused(tmp_path: Path) -> None:
    """Put back by mistake or by a stranger, it would show an empty store, and saves after that
    would be in the clear. A whole store from before is as good as ever."""
    with opened(tmp_path, encrypt=False) as repository:
        fill(repository)
        told = contents(repository)
        layout = repository.layout
    config = tmp_path / "store" / "config"
    before = config.read_text()
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    rotate(layout, tmp_path / "keys", Files(), retell_snapshot, encrypt=True)
    config.write_text(before)
    with pytest.raises(Integrity, match="from before its key was changed"):
        opened(tmp_path, encrypt=False)
    salvage(tmp_path / "store", key_folder=tmp_path / "keys")
    with opened(tmp_path, encrypt=False) as repository:
        assert repository.layout.is_encrypted and contents(repository) == told
    shutil.rmtree(tmp_path / "store")
    shutil.copytree(tmp_path / "backup", tmp_path / "store")
    with opened(tmp_path, encrypt=False) as repository:
        assert contents(repository) == told


def test_a_store_becomes_encrypted_with_another_key_and_back(tmp_path: Path) -> None:
    """All that it holds is there each time; what named it in the clear is gone."""
    with opened(tmp_path, encrypt=False) as repository:
        fill(repository)
        told = contents(repository)
    for encrypt in (True, None, False):
        layout = open_layout(tmp_path / "store", tmp_path / "keys", Files(), create=False)
        rotate(layout, tmp_path / "keys", Files(), retell_snapshot, encrypt=encrypt)
        assert (in_the_clear(tmp_path / "store") == []) is (encrypt is not False)
        with opened(tmp_path, encrypt=False) as repository:
            assert contents(repository) == told
            assert repository.layout.is_encrypted is (encrypt is not False)
            assert verify(repository, read_data=True).ok


def test_without_the_library_the_store_is_refused_with_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path):
        pass
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    monkeypatch.setattr("jupyter_rewind.store.encryption.cipher_of", StoreCipher)
    with pytest.raises(Denied, match="pip install cryptography"):
        opened(tmp_path)
    with pytest.raises(Denied, match="pip install cryptography"):
        opened(tmp_path / "another")
    assert not (tmp_path / "another" / "store" / "config").exists()


def test_what_was_hidden_shows_only_what_it_was(tmp_path: Path) -> None:
    """Under another name, in another form, or changed in one bit, it is refused."""
    cipher = StoreCipher(bytes(32), "store")
    name = bytes(range(32))
    stored = cipher.hide(0, 5, name, b"hello")
    assert cipher.show(0, 5, name, stored) == b"hello"
    assert stored != cipher.hide(0, 5, name, b"hello")
    changed = bytes([*stored[:-1], stored[-1] ^ 1])
    wrong = [(1, 5, name, stored), (0, 6, name, stored), (0, 5, name[::-1], stored)]
    for codec, raw, one, data in [*wrong, (0, 5, name, changed), (0, 5, name, b"short")]:
        with pytest.raises(Integrity):
            cipher.show(codec, raw, one, data)
    with pytest.raises(Integrity):
        StoreCipher(bytes(32), "another").show(0, 5, name, stored)
    assert isinstance(Layout(tmp_path, "store", bytes(32), True).cipher, StoreCipher)
