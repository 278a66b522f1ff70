"""What this store remembers of a replica between two pushes, lest it read all refs each time.

A note, never the truth: lost or old, it costs a look at the replica. Of another replica than the
one that lies there now, it is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.encoding import parse_json, to_json
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import Layout

log = logging.getLogger(__name__)
_FORMAT = 1


@dataclass(slots=True)
class Notes:
    """What was seen of the replica `replica`; this store pushes to `branch`."""

    replica: str = ""
    branch: str = field(default_factory=clock.new_id)
    numbers: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """What the refs of our branch have said of other branches."""
    pushed_ns: int = 0
    epoch: int = 0
    """The last barrier that was seen on our branch."""
    generations: dict[str, int] = field(default_factory=dict)
    """Branch -> how many bases it was seen to have."""
    base: int = 0
    """The number of our branch's newest base."""
    opened: bool = False
    """Whether whoever collects is sure to know of our branch."""
    collected_ns: int = 0
    """When the replica was last collected from here."""
    reads: int = 0
    """So many refs had to be read one by one, besides the first of each branch, when all of them
    were read last."""
    is_collecting: bool = False
    """Whether collecting the replica from here was begun, and what is to go may be there still."""
    cut_ns: int = 0
    """The replica has all that was committed here before."""


def notes_path(layout: Layout, url: str) -> Path:
    return layout.folder / "replicas" / f"{_name(url)}.json"


def mount_path(folder: Path, url: str) -> Path:
    """A file in the store at `folder`, or in the place for it, that is there where a disk or a
    share was mounted at the replica's folder."""
    return folder / "replicas" / f"{_name(url)}.mount"


def _name(url: str) -> str:
    return blake3(url.encode()).hexdigest(16)


def read_notes(layout: Layout, url: str) -> Notes:
    """What was noted; fresh notes where there are none, or none that read."""
    try:
        facts = parse_json(notes_path(layout, url).read_bytes())
        if facts["format"] != _FORMAT or facts["store"] != layout.store_id:
            return Notes()
        return Notes(
            str(facts["replica"]), str(facts["branch"]), _numbers(facts["numbers"]),
            _numbers(facts["ends"]), _numbers(facts["told"]), int(facts["pushed"]),
            int(facts.get("epoch", 0)), _numbers(facts.get("generations", {})),
            int(facts.get("base", 0)), bool(facts.get("opened", False)),
            int(facts.get("collected", 0)), int(facts.get("reads", 0)),
            bool(facts.get("collecting", False)), int(facts.get("cut", 0)),
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Notes()


def noted_segments(layout: Layout) -> set[str]:
    """The segments that any replica of this store was seen to have, as far as notes read."""
    return {name for _, ends in _all_ends(layout) for name in ends}


def noted_lenders(layout: Layout, segment: str, size: int) -> list[str]:
    """The addresses of replicas that were seen to have so much of the segment, as far as notes
    read."""
    return [url for url, ends in _all_ends(layout) if url and ends.get(segment, 0) >= size]


def forget_address(layout: Layout, url: str, files: Files) -> None:
    """Nobody asks the replica at `url` for contents any more on the ground of what was noted of
    it, nor looks for a disk there; the rest of the note stays, should it be a replica again. Raises
    Storage."""
    files.remove(mount_path(layout.folder, url))
    path = notes_path(layout, url)
    try:
        facts = parse_json(path.read_bytes())
        facts["url"] = ""
    except (OSError, ValueError, TypeError):
        return
    files.replace_file(path, to_json(facts))


def _all_ends(layout: Layout) -> Iterator[tuple[str, dict[str, int]]]:
    """Of each replica its address, where that was noted, and how far it was seen to have what."""
    for path in sorted((layout.folder / "replicas").glob("*.json")):
        try:
            facts = parse_json(path.read_bytes())
            if facts["format"] == _FORMAT and facts["store"] == layout.store_id:
                yield str(facts.get("url", "")), _numbers(facts["ends"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue


def write_notes(layout: Layout, url: str, notes: Notes, files: Files) -> None:
    """Raises Storage."""
    path = notes_path(layout, url)
    files.make_folder(path.parent)
    files.replace_file(
        path,
        to_json(
            {
                "format": _FORMAT, "store": layout.store_id, "url": url, "replica": notes.replica,
                "branch": notes.branch, "numbers": {**notes.numbers}, "ends": {**notes.ends},
                "told": {**notes.told}, "pushed": notes.pushed_ns,
                "epoch": notes.epoch, "generations": {**notes.generations}, "base": notes.base,
                "opened": notes.opened, "collected": notes.collected_ns,
                "reads": notes.reads, "collecting": notes.is_collecting, "cut": notes.cut_ns,
            }
        ),
    )  # fmt: skip


def note(layout: Layout, url: str, notes: Notes, files: Files) -> None:
    """As `write_notes`, and never fails: what was done is not undone for want of a note."""
    try:
        write_notes(layout, url, notes, files)
    except RewindError as error:
        log.info("what was seen of the replica was not noted: %s", error)


def _numbers(facts: Mapping[str, int]) -> dict[str, int]:
    return {str(name): int(value) for name, value in facts.items()}
