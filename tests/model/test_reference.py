"""Refs: the words with which a person names a checkpoint."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_rewind.errors import Conflict, InvalidInput, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint, Counts, Reason
from jupyter_rewind.model.ids import CheckpointId, Digest, HistoryId
from jupyter_rewind.model.reference import (
    AtTime,
    ById,
    ByLabel,
    Head,
    check_label,
    parse_ref,
    parse_time,
    resolve_ref,
)

SECOND = 1_000_000_000
BERLIN = ZoneInfo("Europe/Berlin")


def ns(*parts: int, tz: timezone | ZoneInfo = UTC, fold: int = 0) -> int:
    return int(datetime(*parts, tzinfo=tz, fold=fold).timestamp()) * SECOND  # type: ignore[arg-type, misc]


NOW = ns(2026, 11, 20, 14, 5, 30)


def checkpoint(name: str, time_ns: int = NOW, *labels: str) -> Checkpoint:
    return Checkpoint(
        id=CheckpointId(name),
        history=HistoryId("h"),
        path="/a.ipynb",
        time_ns=time_ns,
        order=time_ns,
        reason=Reason.SAVE,
        author="me",
        host="here",
        counts=Counts(),
        size_bytes=1,
        kind="notebook",
        content=b"",
        raw=Digest(b""),
        manifest=Digest(b""),
        labels=labels,
    )


HISTORY = [
    checkpoint("aaaa000000000001", ns(2026, 11, 18, 9, 0)),
    checkpoint("aaab000000000002", ns(2026, 11, 19, 9, 0), "before the talk"),
    checkpoint("2026000000000003", ns(2026, 11, 20, 13, 55)),
    checkpoint("ffff000000000004", ns(2026, 11, 20, 14, 5, 10), "2026"),
]


def find(text: str) -> str:
    return resolve_ref(text, HISTORY, NOW, UTC).id[-1]


@pytest.mark.parametrize(
    ("text", "last_digit"),
    [
        ("head", "4"),
        ("HEAD", "4"),
        ("head~0", "4"),
        ("head~3", "1"),
        (" head~1 ", "3"),
        ("aaab", "2"),
        ("AAAB0", "2"),
        ("aaaa000000000001", "1"),
        ("before the talk", "2"),
        ("2026", "4"),
        ("20260", "3"),
        ("2026-11-20 14:05", "4"),
        ("2026-11-20 14:04", "3"),
        ("2026-11-20T14:05:09", "3"),
        ("2026-11-20T14:05:10Z", "4"),
        ("2026-11-20 15:05+01:00", "4"),
        ("2026-11-19", "2"),
        ("yesterday", "2"),
        ("yesterday 08:59", "1"),
        ("today", "4"),
        ("14:05", "4"),
        ("14:00", "3"),
        ("15:00", "2"),
        ("now", "4"),
        ("10 minutes ago", "3"),
        ("an hour ago", "2"),
        ("2 days ago", "1"),
    ],
)
def test_every_form_names_the_state_that_a_person_means(text: str, last_digit: str) -> None:
    """Ids, labels, head and times work alike."""
    assert find(text) == last_digit


@pytest.mark.parametrize("text", ["head~4", "dead", "no such label", "2020-01-01", "1 week ago"])
def test_what_names_nothing_is_not_found(text: str) -> None:
    """The answer says so, and what a ref may be."""
    with pytest.raises(NotFound) as caught:
        find(text)
    assert caught.value.hint


def test_the_beginning_of_two_ids_is_refused() -> None:
    """The answer names the ids that begin so."""
    history = [checkpoint("abcd000000000001"), checkpoint("abcd000000000002")]
    with pytest.raises(Conflict) as caught:
        resolve_ref("abcd", history, NOW, UTC)
    assert "abcd000000000002" in caught.value.hint
    assert resolve_ref("abcd000000000002", history, NOW, UTC).id == "abcd000000000002"


def test_three_digits_are_no_id() -> None:
    """A beginning has four digits or more, so that a slip of the finger restores nothing."""
    with pytest.raises(NotFound):
        find("aaa")


def test_nothing_is_no_ref() -> None:
    """An empty word is a mistake of the caller, not a missing checkpoint."""
    with pytest.raises(InvalidInput):
        find("  ")
    with pytest.raises(NotFound):
        resolve_ref("head", [], NOW, UTC)


def test_meanings_stand_in_the_order_of_trying() -> None:
    """A whole id goes before a label, a label before the beginning of an id, a time last."""
    assert parse_ref("head~2", NOW, UTC) == (Head(2),)
    assert parse_ref("abcd", NOW, UTC) == (ByLabel("abcd"), ById("abcd"))
    whole = "0123456789abcdef"
    assert parse_ref(whole, NOW, UTC) == (ById(whole), ByLabel(whole))
    label, time = parse_ref("2026-11-20", NOW, UTC)
    assert (label, type(time)) == (ByLabel("2026-11-20"), AtTime)


def test_a_newer_state_wins_a_label_that_two_have() -> None:
    """Should two processes give one label at once, the newer state has it."""
    two = [checkpoint("aaaa000000000001", NOW, "x"), checkpoint("aaaa000000000002", NOW, "x")]
    assert resolve_ref("x", two, NOW, UTC).id.endswith("2")


@given(st.integers(0, 4_000_000_000), st.sampled_from([UTC, BERLIN, ZoneInfo("Asia/Kolkata")]))
def test_a_time_as_it_is_shown_finds_what_is_shown_so(
    seconds: int, tz: timezone | ZoneInfo
) -> None:
    """Whatever the zone, the minute in a list is never before the moment it stands for."""
    shown = datetime.fromtimestamp(seconds, tz)
    at = seconds * SECOND
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"):
        found = parse_time(shown.strftime(form), NOW, tz)
        assert found is not None
        assert found >= at
    exact = parse_time(shown.isoformat(), NOW, UTC)
    assert exact is not None
    assert 0 <= exact - at < SECOND


@given(st.integers(0, 4_000_000_000), st.sampled_from([UTC, BERLIN]))
def test_a_time_of_day_has_begun_within_the_last_day(seconds: int, tz: timezone | ZoneInfo) -> None:
    """ "14:05" said at noon is yesterday's: the future holds no checkpoint."""
    now = seconds * SECOND
    for hour in (0, 12, 23):
        found = parse_time(f"{hour:02}:30", now, tz)
        assert found is not None
        assert found - 60 * SECOND < now + 3600 * SECOND
        assert now - found < 26 * 3600 * SECOND


def test_the_repeated_hour_means_its_second_turn() -> None:
    """When clocks go back, 02:30 is the later one: the newest state a list shows so."""
    end = 60 * SECOND - 1
    told = parse_time("2026-10-25 02:30", NOW, BERLIN)
    assert told == ns(2026, 10, 25, 2, 30, tz=BERLIN, fold=1) + end
    assert told == ns(2026, 10, 25, 1, 30) + end


def test_the_hour_that_is_left_out_is_read_as_if_clocks_stood() -> None:
    """When clocks go forward, 02:30 was never shown; what was kept before it is found."""
    told = parse_time("2026-03-29 02:30", NOW, BERLIN)
    assert told == ns(2026, 3, 29, 1, 30) + 60 * SECOND - 1


def test_the_machine_s_zone_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zone a time is the one on the user's own clock."""
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_time("2026-11-20 09:00", NOW) == ns(2026, 11, 20, 0, 0, 59) + SECOND - 1
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text",
    ["2026-13-01", "2026-02-30", "25:00", "12:60", "14", "2026-11-20 14", "ago", "minutes ago",
     "+01:00", "14:05Z", "2026-11-20 14:05 +99:99", "tomorrow", ""],
)  # fmt: skip
def test_what_is_no_time_is_read_as_none(text: str) -> None:
    """Impossible dates are not bent into possible ones."""
    assert parse_time(text, NOW, UTC) is None


@given(st.text(max_size=30))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    """Whatever a person types, there is an answer or a refusal in words."""
    with contextlib.suppress(NotFound, InvalidInput, Conflict):
        resolve_ref(text, HISTORY, NOW, BERLIN)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30))
def test_a_label_that_is_allowed_is_found(text: str) -> None:
    """Whatever label is accepted, its words name the state that carries it."""
    try:
        label = check_label(text, UTC)
    except InvalidInput:
        assume(False)
        return
    history = [replace(HISTORY[0], labels=(label,)), *HISTORY[1:]]
    assume(label not in {one for row in HISTORY for one in row.labels})
    assert resolve_ref(label, history, NOW, UTC).id == HISTORY[0].id


@pytest.mark.parametrize(
    "text",
    ["head", "Head~3", "head~x", "2026-11-20", "14:05", "yesterday", "now", "10 minutes ago",
     "0123456789abcdef", "  ", "two\nlines", "x" * 201],
)  # fmt: skip
def test_a_label_that_could_mean_something_else_is_refused(text: str) -> None:
    """A label must never hide a place, an id or a time."""
    with pytest.raises(InvalidInput):
        check_label(text, UTC)


def test_ago_counts_from_now() -> None:
    """Short and long units, one and many."""
    assert parse_time("90s ago", NOW, UTC) == NOW - 90 * SECOND
    assert parse_time("3 weeks ago", NOW, UTC) == NOW - 21 * 86400 * SECOND
    hour = timedelta(hours=1) // timedelta(seconds=1)
    assert parse_time("1 hour ago", NOW, UTC) == NOW - hour * SECOND


def test_head_counts_only_what_can_be_read() -> None:
    """A checkpoint known to be lost is no head, unless there is no other."""
    first, second, last = HISTORY[:3]
    lost = replace(second, readable=False)
    assert resolve_ref("head~1", [first, lost, last], NOW) == first
    assert resolve_ref("head", [first, lost], NOW) == first
    assert resolve_ref("head", [lost], NOW) == lost


def test_a_time_finds_the_newest_that_is_not_later_in_whatever_order_they_stand() -> None:
    """What was imported stands behind the head it is newer than, or clocks differed."""
    states = [
        checkpoint("aaaa000000000001", ns(2026, 11, 20, 9, 0)),
        checkpoint("aaaa000000000002", ns(2026, 11, 20, 12, 0)),
        checkpoint("aaaa000000000003", ns(2026, 11, 20, 10, 0)),
        checkpoint("aaaa000000000004", ns(2026, 11, 20, 11, 0)),
    ]

    def at(time: str) -> str:
        return resolve_ref(f"2026-11-20 {time}", states, NOW, UTC).id[-1]

    assert [at(time) for time in ("09:30", "10:30", "11:30", "12:30")] == ["1", "3", "4", "2"]
    with pytest.raises(NotFound, match="the oldest is of 2026-11-20 09:00:00"):
        resolve_ref("2026-11-20 08:00", states[::-1], NOW, UTC)
