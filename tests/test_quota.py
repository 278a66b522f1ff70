"""A store with a quota: what is on the disk, what expired for it, and what was told before."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind import clock
from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.model.checkpoint import Reason
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.quota import Room, choose_oldest, keep_quota, plan_quota, read_allowance
from jupyter_rewind.settings import Rewind, parse_size
from jupyter_rewind.workspace import Workspace
from tests.notebooks.support import make_notebook

HOUR_NS = 3_600_000_000_000


class Turned(clock.SystemClock):
    """The real clock, so much ahead."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


@pytest.fixture
def hands() -> Turned:
    return Turned()


def rewind(folder: Path, quota: str = "") -> Rewind:
    return Rewind(
        store_path=str(folder / "store"), store_key_folder=str(folder / "keys"), store_quota=quota
    )


def disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "store" / "segments").iterdir())


def write(workspace: Workspace, path: Path, number: int, size: int = 60_000) -> str:
    """A checkpoint with so much that nothing else has; its id."""
    text = random.Random(f"{path}{number}").randbytes(size // 2).hex()
    path.write_bytes(make_notebook(text))
    return str(workspace.checkpoint(str(path), reason=Reason.SAVE).checkpoint.id)


def make(folder: Path, count: int = 20) -> tuple[list[str], list[str]]:
    """Two notebooks, saved in turns; the ids of each, oldest first."""
    with Workspace.open(rewind(folder)) as workspace:
        made = [
            (write(workspace, folder / "a.ipynb", n), write(workspace, folder / "b.ipynb", n))
            for n in range(count)
        ]
    return [a for a, _ in made], [b for _, b in made]


def kept(workspace: Workspace, path: Path) -> list[str]:
    return [str(one.id) for one in workspace.checkpoints(str(path))]


def test_the_oldest_expire_first_and_the_disk_gets_its_room(tmp_path: Path, hands: Turned) -> None:
    """First it is told; an hour later the oldest of all notebooks go, so that the bytes on the
    disk are within the quota, and no more than that."""
    ours, theirs = make(tmp_path)
    before = disk_bytes(tmp_path)
    quota = before // 2
    with clock.use(hands), Workspace.open(rewind(tmp_path, f"{quota // 1000} kB")) as workspace:
        told = keep_quota(workspace)
        assert told is not None and told.allowance.room is Room.OVER and not told.expired
        assert keep_quota(workspace) == told and disk_bytes(tmp_path) == before
        hands.ahead_ns = HOUR_NS
        done = keep_quota(workspace)
        assert done is not None and done.allowance.room is Room.WITHIN
        left = {
            "a": kept(workspace, tmp_path / "a.ipynb"),
            "b": kept(workspace, tmp_path / "b.ipynb"),
        }
        assert workspace.verify(read_data=True).ok
    assert quota * 0.6 < disk_bytes(tmp_path) <= quota
    assert left["a"] == ours[-len(left["a"]) :] and left["b"] == theirs[-len(left["b"]) :]
    assert abs(len(left["a"]) - len(left["b"])) <= 1
    assert {str(one.id) for one in done.expired} == {*ours, *theirs} - {*left["a"], *left["b"]}


def test_heads_and_names_stay_whatever_the_quota(tmp_path: Path, hands: Turned) -> None:
    """A quota that is far too small takes neither the newest of a notebook nor what has a label
    or a pin; that it is not kept is told on."""
    ours, theirs = make(tmp_path, 6)
    with clock.use(hands), Workspace.open(rewind(tmp_path, "1 kB")) as workspace:
        workspace.pin(str(tmp_path / "a.ipynb"), ours[1])
        workspace.label(str(tmp_path / "b.ipynb"), theirs[2], "good")
        assert not plan_quota(workspace).is_enough
        keep_quota(workspace)
        hands.ahead_ns = 2 * HOUR_NS
        done = keep_quota(workspace)
        assert done is not None and done.allowance.room is Room.OVER
        assert kept(workspace, tmp_path / "a.ipynb") == [ours[1], ours[-1]]
        assert kept(workspace, tmp_path / "b.ipynb") == [theirs[2], theirs[-1]]
        again = keep_quota(workspace)
        assert again is not None and not again.expired
        assert workspace.verify(read_data=True).ok


def test_what_a_label_protects_meanwhile_stays(tmp_path: Path, hands: Turned) -> None:
    """The choice is made anew when it is carried out."""
    from jupyter_rewind.quota import shorten

    ours, _ = make(tmp_path, 6)
    with clock.use(hands), Workspace.open(rewind(tmp_path, "1 kB")) as workspace:
        plan = plan_quota(workspace)
        assert EntryId(ours[0]) in plan.names
        workspace.label(str(tmp_path / "a.ipynb"), ours[0], "just now")
        shorten(workspace, plan)
        assert kept(workspace, tmp_path / "a.ipynb") == [ours[0], ours[-1]]


def test_it_is_told_from_nine_tenths_on(tmp_path: Path, hands: Turned) -> None:
    """Nothing goes then; and once there is room again, the next warning is a new one."""
    make(tmp_path, 4)
    size = disk_bytes(tmp_path)
    note = tmp_path / "store" / "quota-warned"
    with clock.use(hands):
        for quota, room in ((size * 2, Room.WITHIN), (size * 1.05, Room.NEAR)):
            with Workspace.open(rewind(tmp_path, f"{quota / 1000:.3f} kB")) as workspace:
                told = keep_quota(workspace)
                assert told is not None and told.allowance.room is room
        assert note.read_text()
        hands.ahead_ns = 5 * HOUR_NS
        with Workspace.open(rewind(tmp_path, f"{size * 1.05 / 1000:.3f} kB")) as workspace:
            assert not getattr(keep_quota(workspace), "expired", None)
        with Workspace.open(rewind(tmp_path, "1 GB")) as workspace:
            keep_quota(workspace)
        assert not note.read_text()
    assert disk_bytes(tmp_path) == size


def test_a_clock_that_was_ahead_shortens_no_warning(tmp_path: Path, hands: Turned) -> None:
    """A warning that was given in the future counts as given now."""
    make(tmp_path, 3)
    hands.ahead_ns = 1000 * HOUR_NS
    with clock.use(hands), Workspace.open(rewind(tmp_path, "1 kB")) as workspace:
        keep_quota(workspace)
        hands.ahead_ns = 0
        told = keep_quota(workspace)
        assert told is not None and not told.expired


def test_without_a_quota_nothing_is_looked_at(tmp_path: Path) -> None:
    """No note, no expiry."""
    make(tmp_path, 2)
    with Workspace.open(rewind(tmp_path)) as workspace:
        assert read_allowance(workspace) is None and keep_quota(workspace) is None
    assert not (tmp_path / "store" / "quota-warned").exists()


@given(st.lists(st.integers(0, 100), max_size=40), st.integers(0, 3000), st.integers(0, 50))
def test_no_more_go_than_must(sizes: list[int], need: int, garbage: int) -> None:
    """The fewest, from the oldest on; all of them where even that is too little."""
    names = [EntryId(f"{n:03}") for n in range(len(sizes))]
    room = dict(zip(names, sizes, strict=True))
    plan = choose_oldest(names, need, lambda some: garbage + sum(room[name] for name in some))
    count = len(plan.names)
    assert list(plan.names) == names[:count]
    assert plan.freed_bytes == garbage + sum(sizes[:count])
    assert plan.is_enough == (garbage + sum(sizes) >= need)
    if plan.is_enough and count:
        assert garbage + sum(sizes[: count - 1]) < need
    if not plan.is_enough:
        assert count == len(names)


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("20 GB", 20_000_000_000), ("1.5tb", 1_500_000_000_000), (" 5 kB ", 5000)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    """Units are of a thousand."""
    assert parse_size(text) == size
    assert Rewind.load({"store.quota": text}).store_quota == text.strip()


@pytest.mark.parametrize("text", ["20", "GB", "0 GB", "-1 GB", "a lot", "1 GiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """A quota that is misread would cost checkpoints."""
    with pytest.raises(InvalidInput, match="such as 500 MB"):
        try:
            Rewind.load({"store.quota": text})
        except InvalidInput as error:
            raise InvalidInput(f"{error} {error.hint}") from error
