"""What a policy keeps: properties that hold for every history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.model.checkpoint import Checkpoint, Counts, Reason
from jupyter_rewind.model.ids import CheckpointId, Digest, HistoryId
from jupyter_rewind.model.retention import Policy, choose_expired

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
NOW = 1_790_000_000 * SECOND
ZONES = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe"), None])


def checkpoint(
    number: int,
    time_ns: int,
    *,
    history: str = "h",
    labels: tuple[str, ...] = (),
    pin: bool = False,
    reason: Reason = Reason.SAVE,
    readable: bool = True,
) -> Checkpoint:
    return Checkpoint(
        id=CheckpointId(f"{number:016x}"),
        history=HistoryId(history),
        path=f"/{history}.ipynb",
        time_ns=time_ns,
        order=time_ns,
        reason=reason,
        author="me",
        host="here",
        counts=Counts(),
        size_bytes=1,
        kind="notebook",
        content=b"",
        raw=Digest(b""),
        manifest=Digest(b""),
        labels=labels,
        pinned=pin,
        readable=readable,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Checkpoint]:
    """One or two histories, each oldest first, with bursts and long rests."""
    steps = st.one_of(
        st.integers(0, 120 * SECOND), st.integers(0, 3 * HOUR), st.integers(0, 40 * DAY)
    )
    found: list[Checkpoint] = []
    for name in draw(st.sampled_from([["a"], ["a", "b"]])):
        times = draw(st.lists(steps, min_size=1, max_size=60))
        at = NOW - sum(times)
        for step in times:
            at += step
            mark = draw(st.integers(0, 19))
            labels = ("kept",) if mark == 0 else ()
            number = len(found)
            found.append(
                checkpoint(
                    number,
                    at,
                    history=name,
                    labels=labels,
                    pin=mark == 1,
                    reason=draw(st.sampled_from([Reason.AUTOSAVE, Reason.SAVE, Reason.MANUAL])),
                    readable=mark != 2,
                )
            )
    return found


def policies() -> st.SearchStrategy[Policy]:
    few = st.integers(0, 8)
    return st.builds(
        Policy,
        keep_last=st.integers(1, 8),
        hourly=few,
        daily=few,
        weekly=few,
        deleted_days=st.integers(0, 400),
    )


@given(histories(), policies(), ZONES)
def test_heads_labels_and_pins_never_expire(
    found: list[Checkpoint], policy: Policy, tz: ZoneInfo | None
) -> None:
    """Whatever the policy, the newest state that reads and what a person marked stay."""
    decision = choose_expired(found, policy, NOW, tz)
    heads = {one.history: one.id for one in found}
    heads |= {one.history: one.id for one in found if one.readable}
    safe = set(heads.values()) | {one.id for one in found if one.is_kept_by_hand}
    assert safe.isdisjoint(decision.expire)
    assert safe <= decision.keep.keys()


@given(histories(), policies(), ZONES)
def test_each_checkpoint_is_kept_or_expires(
    found: list[Checkpoint], policy: Policy, tz: ZoneInfo | None
) -> None:
    """Nothing is forgotten, nothing is both; every kept one has a reason in words."""
    decision = choose_expired(found, policy, NOW, tz)
    assert set(decision.expire) | decision.keep.keys() == {one.id for one in found}
    assert set(decision.expire).isdisjoint(decision.keep)
    assert all(decision.keep.values())


@given(histories(), policies(), ZONES)
def test_expiring_twice_expires_nothing_more(
    found: list[Checkpoint], policy: Policy, tz: ZoneInfo | None
) -> None:
    """Choosing again from what was kept changes nothing."""
    decision = choose_expired(found, policy, NOW, tz)
    rest = [one for one in found if one.id in decision.keep]
    assert choose_expired(rest, policy, NOW, tz).expire == ()


@given(histories(), policies(), ZONES)
def test_growth_is_bounded(found: list[Checkpoint], policy: Policy, tz: ZoneInfo | None) -> None:
    """However often a notebook is saved, no more stays than the policy says."""
    decision = choose_expired(found, policy, NOW, tz)
    for history in {one.history for one in found}:
        kept = [one for one in found if one.history == history and one.id in decision.keep]
        assert sum(not one.is_kept_by_hand for one in kept) <= policy.most


@given(histories(), policies(), st.sampled_from(["keep_last", "hourly", "daily", "weekly"]))
def test_a_more_generous_policy_keeps_no_less(
    found: list[Checkpoint], policy: Policy, rule: str
) -> None:
    """Raising one number never makes anything expire that stayed before."""
    more = {name: getattr(policy, name) for name in ("keep_last", "hourly", "daily", "weekly")}
    more[rule] += 3
    small = choose_expired(found, policy, NOW, UTC)
    large = choose_expired(found, Policy(**more), NOW, UTC)
    assert set(large.expire) <= set(small.expire)


@given(histories(), policies(), st.integers(0, 59))
def test_what_expired_once_would_not_be_kept_later(
    found: list[Checkpoint], policy: Policy, count: int
) -> None:
    """Expiring early loses nothing that a later round would have kept."""
    early = [one for one in found if one.history == "a"]
    early = early[: max(1, len(early) - count)]
    whole = [one for one in found if one.history == "a"]
    gone = set(choose_expired(early, policy, NOW, UTC).expire)
    assert gone.isdisjoint(choose_expired(whole, policy, NOW, UTC).keep)


@given(histories(), policies(), st.integers(0, 500))
def test_a_deleted_history_keeps_only_marked_states_after_its_time(
    found: list[Checkpoint], policy: Policy, days: int
) -> None:
    """A deleted notebook's history lasts `deleted_days`, labels and pins for ever."""
    deleted = {HistoryId("a"): NOW - days * DAY - 1}
    decision = choose_expired(found, policy, NOW, UTC, deleted=deleted)
    mine = {one.id for one in found if one.history == "a"}
    marked = {one.id for one in found if one.history == "a" and one.is_kept_by_hand}
    if days >= policy.deleted_days:
        assert decision.keep.keys() & mine == marked
    else:
        assert decision == choose_expired(found, policy, NOW, UTC)


def test_the_hour_that_the_clocks_repeat_is_two_hours() -> None:
    """When summer time ends, both hours called two o'clock keep their newest state."""
    berlin = ZoneInfo("Europe/Berlin")
    first = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * SECOND
    found = [checkpoint(n, first + n * HOUR) for n in range(4)]
    decision = choose_expired(found, Policy(1, 4, 0, 0), NOW, berlin)
    assert decision.expire == ()


def test_days_are_those_of_the_zone() -> None:
    """Two saves around midnight are of one day or of two, as the user's clock shows them."""
    tokyo = ZoneInfo("Asia/Tokyo")
    before = int(datetime(2026, 11, 20, 14, 59, tzinfo=UTC).timestamp()) * SECOND
    found = [checkpoint(n, before + n * 120 * SECOND) for n in range(2)]
    policy = Policy(keep_last=1, hourly=0, daily=2, weekly=0)
    assert len(choose_expired(found, policy, NOW, tokyo).expire) == 0
    assert len(choose_expired(found, policy, NOW, UTC).expire) == 1


def test_a_notebook_that_rests_loses_nothing() -> None:
    """Hours and days count only where there is a checkpoint: a year's rest expires nothing."""
    start = NOW - 400 * DAY
    found = [checkpoint(n, start + n * DAY) for n in range(5)]
    now = NOW + int(timedelta(days=3000).total_seconds()) * SECOND
    assert choose_expired(found, Policy(1, 0, 5, 0), now, UTC).expire == ()


def test_the_reason_is_told_in_words() -> None:
    """A plan can show why each state stays."""
    found = [
        checkpoint(0, NOW - 50 * DAY, labels=("good one",)),
        checkpoint(1, NOW - 40 * DAY, pin=True),
        checkpoint(2, NOW - 30 * DAY),
        checkpoint(3, NOW),
    ]
    keep = choose_expired(found, Policy(1, 0, 2, 0), NOW, UTC).keep
    assert list(keep.values()) == ['label "good one"', "pinned", "head", "newest of its day"]


def test_what_a_person_meant_stands_for_its_hour() -> None:
    """An hour's deliberate checkpoint stays, though autosaves came after it."""
    reasons = [Reason.AUTOSAVE, Reason.MANUAL, Reason.MANUAL, *[Reason.AUTOSAVE] * 4]
    start = NOW - 30 * DAY - NOW % HOUR
    found = [checkpoint(n, start + n * 60 * SECOND, reason=r) for n, r in enumerate(reasons)]
    found.append(checkpoint(99, NOW))
    decision = choose_expired(found, Policy(1, 2, 0, 0), NOW, UTC)
    assert list(decision.keep) == [found[-1].id, found[2].id]


def test_autosaves_do_not_push_out_what_was_meant_today() -> None:
    """An autosave every ten seconds fills the newest hundred within 17 minutes."""
    meant = [checkpoint(n, NOW - 2 * HOUR + n, reason=Reason.MANUAL) for n in range(5)]
    autosaves = [
        checkpoint(n, NOW - (400 - n) * SECOND, reason=Reason.AUTOSAVE) for n in range(100, 300)
    ]
    decision = choose_expired([*meant, *autosaves], Policy(), NOW, UTC)
    assert {one.id for one in meant} <= decision.keep.keys()
    later = choose_expired([*meant, *autosaves], Policy(), NOW + DAY, UTC)
    assert [one.id in later.keep for one in meant] == [False] * 4 + [True]


def test_what_is_lost_goes_first() -> None:
    """Known losses take no place from a state that can be brought back."""
    found = [checkpoint(n, NOW - (10 - n) * DAY, readable=n < 4) for n in range(8)]
    keep = choose_expired(found, Policy(2, 0, 3, 0), NOW, UTC).keep
    assert list(keep) == [found[3].id, found[2].id, found[1].id]
    assert keep[found[3].id] == "head"


def test_what_is_lost_stays_while_there_is_room() -> None:
    """Saving the same content again may heal it yet."""
    found = [checkpoint(n, NOW - (10 - n) * DAY, readable=n < 2) for n in range(6)]
    keep = choose_expired(found, Policy(3, 0, 0, 0), NOW, UTC).keep
    assert list(keep) == [found[1].id, found[0].id, found[5].id]
