"""Makes the store of this version that later versions must read for ever.

    python tests/compat/make_store.py tests/compat/stores/v1

Run once for each number of a format, by hand, and never again for the same number: what lies under
`stores/` is what users have on their disks. The clock and all ids are fixed, so that the same code
makes the same bytes. The store has every kind of record: chunks as they are, packed and cut in
several; nodes whole and as differences; entries, some of them expired; histories of notebooks with
labels, pins, a rename and a deletion; two closed segments, and one whose writer died in a commit.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.store.repository import Repository

NOTEBOOK = "/home/ada/work/analysis.ipynb"
RENAMED = "/home/ada/work/final analysis – ü.ipynb"
DELETED = "/home/ada/old.txt"


def noise(seed: str, size: int) -> bytes:
    """Bytes that do not compress, told by their seed."""
    return hashlib.shake_128(seed.encode()).digest(size)


def content(name: str) -> bytes:
    """What was stored under `name` in the expectations."""
    match name:
        case "empty":
            return b""
        case "text":
            return b"Ein Satz, der sich wiederholt. " * 200
        case "large":
            return noise("large", 300_000)
        case "edited":
            raw = noise("large", 300_000)
            return raw[:1000] + b"an insertion" + raw[1000:]
    return noise(name, 700)


def notebook(number: int) -> bytes:
    """The file as it was at its save number `number`."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": at,
            "id": f"cell-{at}",
            "metadata": {},
            "outputs": [
                {"name": "stdout", "output_type": "stream", "text": [f"{at} · ☃\n"] * (50 * at)}
            ],
            "source": [f"x = {at}\n", f"print(x, {number if at == 2 else 0})"],
        }
        for at in range(1, 4 + number)
    ]
    whole = {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}}
    text = json.dumps({**whole, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False)
    return text.encode() + b"\n"


def fill(store: Repository) -> dict[str, object]:
    """Puts everything in; returns what must be read back."""
    blobs: dict[str, list[str]] = {}
    nodes: list[dict[str, object]] = []
    with store.transaction() as tx:
        for name in ("empty", "text", "small one", "small two", "large"):
            blobs[name] = [each.hex() for each in tx.put(content(name))]
        tx.add("checkpoint", keys=["first", "k:ü ☃"], body={"n": 1, "t": "ü\ud800"}, roots=[
            Digest(bytes.fromhex(each)) for names in blobs.values() for each in names
        ])  # fmt: skip
    base: Digest | None = None
    body = noise("node", 3000)
    for number in range(6):
        body = body[: 100 * number] + b"<%d>" % number + body[100 * number + 3 :]
        links = [Digest(bytes.fromhex(blobs[name][0])) for name in ("text", "small one")]
        with store.transaction() as tx:
            base = tx.put_node(body, links, base=base)
            tx.add("mark", keys=["nodes"], body={"number": number}, roots=[base])
        nodes.append(
            {"id": base.hex(), "body": body.hex(), "links": [each.hex() for each in links]}
        )
    store.end_segment()
    with store.transaction() as tx:
        blobs["edited"] = [each.hex() for each in tx.put(content("edited"))]
        roots = [Digest(bytes.fromhex(each)) for each in blobs["edited"]]
        tx.add("checkpoint", keys=["second"], body={}, roots=roots)
        gone = tx.add("checkpoint", keys=["gone"], body={"n": 2})
    with store.transaction(exclusive=True) as tx:
        tx.expire([gone.id])
    return {"blobs": blobs, "nodes": nodes, "expired": [gone.id]}


def keep_notebooks(store: Repository, hands: clock.FakeClock) -> list[dict[str, object]]:
    """Saves, a label, a pin, a rename and a deletion; returns the checkpoints to find."""
    histories = Histories(store)
    made = []
    for number in range(4):
        hands.advance(3600)
        kept = histories.record(
            NOTEBOOK, notebook(number), reason=Reason.SAVE, author="ada", exists=lambda _: True
        )
        made.append({"id": kept.checkpoint.id, "number": number})
    histories.label(histories.checkpoints(NOTEBOOK)[1], "paper – v1")
    histories.pin(histories.checkpoints(NOTEBOOK)[2])
    histories.rename(NOTEBOOK, RENAMED)
    histories.record(DELETED, b"just text\n", reason=Reason.SAVE, exists=lambda _: True)
    histories.delete(DELETED)
    return made


def main(folder: Path) -> None:
    if folder.exists():
        sys.exit(f"{folder} exists; what is there must stay as it is.")
    hands = clock.FakeClock()
    with clock.use(hands):
        with Repository.open(folder / "store", key_folder=folder / "keys") as store:
            facts = fill(store)
            facts["checkpoints"] = keep_notebooks(store, hands)
            store.refresh()
            facts["entries"] = [
                {
                    "id": entry.id, "kind": entry.kind, "order": entry.order,
                    "keys": list(entry.keys), "body": entry.body,
                    "roots": [root.hex() for root in entry.roots],
                }
                for entry in store.entries()
            ]  # fmt: skip
            facts["store"] = store.store_id
        with Repository.open(folder / "store", key_folder=folder / "keys") as store:
            with store.transaction() as tx:
                tx.add("checkpoint", keys=["last"], body={}, roots=tx.put(content("last")))
            last = store.folder / "segments" / store.writer.segment
            whole = last.read_bytes().rstrip(b"\0")
            with store.transaction() as tx:
                tx.add("checkpoint", keys=["never acknowledged"], body={})
            # As if the process had died in the middle of the second commit.
            torn = last.read_bytes()[: len(whole) + 60] + bytes(500)
    last.write_bytes(torn)
    for path in (folder / "store").iterdir():
        if path.name == "locks":
            shutil.rmtree(path)
        elif path.name not in {"config", "segments"}:
            path.unlink()
    text = json.dumps(facts, indent=1, sort_keys=True)
    (folder / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
