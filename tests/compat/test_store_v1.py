"""A store of format 1 reads byte for byte for ever, and later formats are refused with words."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind import clock
from jupyter_rewind.errors import Newer, NotFound
from jupyter_rewind.model.encoding import Commit, encode_commit, encode_node
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store import chunks
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import HEAD_SIZE, TAG_SIZE, Kind, Seal, frame
from jupyter_rewind.store.layout import open_layout
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.upkeep import collect, salvage, verify
from tests.compat import make_store

KEPT = Path(__file__).parent / "stores" / "v1"
pytestmark = pytest.mark.compat


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy: what is kept must never change."""
    shutil.copytree(KEPT, tmp_path / "v1")
    return tmp_path / "v1"


@pytest.fixture
def expected() -> Any:
    return json.loads((KEPT / "expected.json").read_text())


def open_store(folder: Path) -> Repository:
    store = Repository.open(folder / "store", key_folder=folder / "keys", create=False)
    store.refresh()
    return store


def require_all(store: Repository, expected: Any) -> None:
    for name, digests in expected["blobs"].items():
        blob = store.get_blob([Digest(bytes.fromhex(each)) for each in digests])
        assert blob == make_store.content(name)
    for node in expected["nodes"]:
        found = store.get_node(Digest(bytes.fromhex(node["id"])))
        assert found.body.hex() == node["body"]
        assert [each.hex() for each in found.links] == node["links"]
    entries = {entry.id: entry for entry in store.entries()}
    for each in expected["entries"]:
        entry = entries[EntryId(each["id"])]
        assert (entry.kind, entry.order, list(entry.keys)) == (
            each["kind"], each["order"], each["keys"],
        )  # fmt: skip
        assert dict(entry.body) == each["body"]
        assert [root.hex() for root in entry.roots] == each["roots"]
    for name in expected["expired"]:
        with pytest.raises(NotFound):
            store.entry(name)


def test_everything_reads(folder: Path, expected: Any) -> None:
    """Chunks, nodes and entries are what they were; what was never acknowledged is not there."""
    with open_store(folder) as store:
        assert store.store_id == expected["store"]
        require_all(store, expected)
        assert len(store.entries(key="last")) == 1
        assert store.entries(key="never acknowledged") == []
        assert len(store.entries()) == len(expected["entries"]) + 1


def test_the_store_is_whole(folder: Path) -> None:
    """Verify finds no damage, and one unfinished write."""
    with open_store(folder) as store:
        report = verify(store, read_data=True)
    assert report.ok
    assert len(report.unfinished) == 1


def test_notebooks_come_back(folder: Path, expected: Any) -> None:
    """Every save of the notebook, under its new name, with label and pin; the deleted file too."""
    with open_store(folder) as store:
        histories = Histories(store)
        found = histories.checkpoints(make_store.RENAMED)
        assert [each.id for each in found] == [each["id"] for each in expected["checkpoints"]]
        for checkpoint, told in zip(found, expected["checkpoints"], strict=True):
            assert histories.read(checkpoint) == make_store.notebook(told["number"])
        assert found[1].labels == ("paper – v1",)
        assert [each.pinned for each in found] == [False, False, True, False]
        [deleted] = histories.deleted()
        [last] = histories.checkpoints(deleted.id)
        assert histories.read(last) == b"just text\n"


def test_it_can_be_written_on(folder: Path, expected: Any) -> None:
    """New saves, a collect and a salvage work on it, and what it held still reads."""
    with open_store(folder) as store:
        with store.transaction() as tx:
            new = tx.add("checkpoint", keys=["new"], body={}, roots=tx.put(b"new content"))
        collect(store, threshold=0.0)
        require_all(store, expected)
    assert not salvage(folder / "store", folder / "keys").set_aside
    with open_store(folder) as store:
        require_all(store, expected)
        assert store.get(store.entry(new.id).roots[0]) == b"new content"
        assert verify(store, read_data=True).ok


def test_a_later_config_is_refused(folder: Path) -> None:
    """The store as a whole says that it is of a later format."""
    config = folder / "store" / "config"
    config.write_text(json.dumps({**json.loads(config.read_bytes()), "format": 3}))
    with pytest.raises(Newer, match=r"format 3.*pip install -U"):
        open_store(folder)
    with pytest.raises(Newer):
        salvage(folder / "store", folder / "keys")


def append_segment(folder: Path, pieces: list[tuple[int, int, bytes]], raw: bytes) -> Digest:
    """A segment of a store, with these records (kind, codec, content) under the commit `raw`."""
    layout = open_layout(folder / "store", folder / "keys", Files(), create=False)
    name = clock.new_id()
    seal = Seal(layout.key, layout.store_id, name)
    data = b""
    proofs: list[bytes] = []
    last = Digest(bytes(32))
    for kind, codec, content in pieces:
        last = chunks.digest(content)
        head, _, tag = frame(seal, len(data), Kind(kind), codec, len(content), last, content)
        data += head + content + tag
        proofs += (head, tag)
    raw = raw or encode_commit(Commit(len(pieces), 0, seal.batch(proofs)))
    head, _, tag = frame(seal, len(data), Kind.COMMIT, 0, len(raw), chunks.digest(raw), raw)
    (layout.segments / name).write_bytes(data + head + raw + tag)
    return last


def test_a_later_record_is_refused(folder: Path) -> None:
    """A record that is truly ours and of a later format stops the reading of its store."""
    append_segment(folder, [(Kind.CHUNK, 0, b"content")], b"")
    layout = open_layout(folder / "store", folder / "keys", Files(), create=False)
    path = max(layout.segments.iterdir(), key=lambda each: each.stat().st_mtime_ns)
    data = path.read_bytes()
    magic, kind, codec, _, stored, raw = struct.unpack_from("<4sBBHII", data)
    head = struct.pack("<4sBBHII", magic, kind, codec, 3, stored, raw) + data[16:HEAD_SIZE]
    payload = data[HEAD_SIZE : HEAD_SIZE + stored]
    tag = Seal(layout.key, layout.store_id, path.name).tag(0, head, payload)
    path.write_bytes(head + payload + tag + data[HEAD_SIZE + stored + TAG_SIZE :])
    with pytest.raises(Newer, match=r"format 3.*pip install -U"):
        open_store(folder)


def test_a_later_commit_is_refused(folder: Path) -> None:
    """So does a commit."""
    raw = bytearray(encode_commit(Commit(0, 0, bytes(16))))
    raw[:2] = (2).to_bytes(2, "little")
    append_segment(folder, [], bytes(raw))
    with pytest.raises(Newer, match=r"commit record has format 2"):
        open_store(folder)


def test_a_later_node_is_refused(folder: Path, expected: Any) -> None:
    """It alone does not read; everything else does."""
    raw = bytearray(encode_node(b"body", []))
    raw[:2] = (2).to_bytes(2, "little")
    name = append_segment(folder, [(Kind.NODE, 0, bytes(raw))], b"")
    with open_store(folder) as store:
        with pytest.raises(Newer, match="node has format 2"):
            store.get_node(name)
        require_all(store, expected)


def test_a_later_codec_is_refused(folder: Path, expected: Any) -> None:
    """Content stored in a way that this version does not know is neither damage nor missing."""
    name = append_segment(folder, [(Kind.CHUNK, 9, b"packed some other way")], b"")
    with open_store(folder) as store:
        with pytest.raises(Newer, match="codec 9"):
            store.get(name)
        require_all(store, expected)
