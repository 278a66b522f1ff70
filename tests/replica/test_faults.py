"""A server that fails in all the ways servers do: nothing acknowledged is lost, nothing doubles."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from jupyter_rewind import clock
from jupyter_rewind.errors import Denied, Full, RewindError, Storage, Unavailable
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.replica.address import open_objects, parse_address
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.cloud import CloudObjects, tell
from jupyter_rewind.store.replica.collecting import collect_replica
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.probe import UNCONDITIONAL, require_conditions
from tests.support.fault_proxy import DROP, PASS, RESET, FaultProxy, fault_proxy, some
from tests.support.object_servers import Server
from tests.support.replicas import Machine, first_machine, holds, next_machine
from tests.support.stores import QuickFiles, noise


@pytest.fixture
def proxy(seaweed: Server, keys: dict[str, str]) -> Iterator[FaultProxy]:
    with fault_proxy(seaweed.endpoint) as proxy:
        yield proxy


def behind(proxy: FaultProxy, prefix: str) -> Objects:
    """A place behind the proxy."""
    url = f"s3://rewind/{prefix}-{os.getpid()}?endpoint={proxy.endpoint}&region=us-east-1"
    return open_objects(parse_address(url))


def refs_of(objects: Objects) -> list[str]:
    return [each.key for each in objects.find("refs/")]


def is_whole(machine: Machine) -> bool:
    """What the replica holds is whole to its last byte."""
    with machine.open() as repository:
        report = check(repository.layout, QuickFiles(), machine.objects, read_share=1.0)
    assert report.ok, report.faults
    return True


def test_a_server_that_ignores_conditions_is_refused(moto: Server, keys: dict[str, str]) -> None:
    """Where the second writer would win, nothing is pushed at all, and the words say why."""
    with fault_proxy(moto.endpoint) as proxy:
        proxy.without = {"if-none-match"}
        with pytest.raises(Unavailable, match="overwrites objects") as caught:
            require_conditions(behind(proxy, "unconditional"))
    assert caught.value.code == UNCONDITIONAL and not caught.value.retryable


def test_a_push_to_it_changes_nothing(tmp_path: Path, moto: Server, keys: dict[str, str]) -> None:
    """The probe comes before the first byte."""
    with fault_proxy(moto.endpoint) as proxy:
        proxy.without = {"if-none-match"}
        objects = behind(proxy, "unconditional-push")
        with pytest.raises(Unavailable):
            first_machine(tmp_path / "a", objects).push()
        assert not list(objects.find("refs/")) and objects.size("rewind-replica") is None


def test_a_lost_reply_is_read_back(tmp_path: Path, proxy: FaultProxy) -> None:
    """The server made the commit and the answer was lost: it counts once."""
    objects = behind(proxy, "lost-reply")
    first = first_machine(tmp_path / "a", objects)
    first.push()
    lost: list[str] = []

    def rule(method: str, path: str) -> str:
        if method == "PUT" and "/refs/" in path and not lost:
            lost.append(path)
            return DROP
        return PASS

    proxy.rule = rule
    first.save()
    assert first.push().entries == 1
    assert lost and len(refs_of(objects)) == 2
    assert first.push().bytes == 0
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fates",
    [
        (DROP, RESET, "500", "503"),
        pytest.param((DROP,), marks=pytest.mark.long),
        pytest.param((RESET,), marks=pytest.mark.long),
        pytest.param(("500", "503"), marks=pytest.mark.long),
    ],
)
def test_a_quarter_of_all_requests_fails(
    fates: tuple[str, ...], tmp_path: Path, proxy: FaultProxy
) -> None:
    """Replies dropped, connections reset, errors of the server: pushes go on, or say that they
    failed and are repeated, until a fresh machine has everything once."""
    objects = behind(proxy, "quarter-" + "-".join(fates))
    proxy.rule = some(7, *fates)
    first = first_machine(tmp_path / "a", objects)
    with first.open() as repository:
        first.filled.add(repository, parts=[noise("large", 9 << 20)])
    _until_done(first.push)
    for _ in range(4):
        first.save()
        _until_done(first.push)
    second = next_machine(tmp_path / "b", first)
    _until_done(second.pull)
    assert sum(proxy.seen[fate] for fate in fates) > 5
    assert holds(second, first)
    proxy.rule = lambda method, path: PASS
    assert len(refs_of(objects)) == 5
    assert is_whole(first)


@pytest.mark.long
def test_collecting_goes_on_where_requests_fail(tmp_path: Path, proxy: FaultProxy) -> None:
    """A quarter of all requests is lost, reset or answered with an error: it is repeated until it
    is done, and takes nothing that is in use."""
    objects = behind(proxy, "quarter-collected")
    first = first_machine(tmp_path / "a", objects)
    first.push()
    names = list(first.filled.bodies)
    first.save(2)
    first.push()
    with first.open() as repository:
        with repository.transaction(exclusive=True) as tx:
            tx.expire(names)
        collect(repository, threshold=0.0)
    for name in names:
        first.filled.forget(name)
    proxy.rule = some(11, DROP, RESET, "500", "503")

    def shrink() -> None:
        with first.open() as repository:
            collect_replica(repository, objects, first.url)

    _until_done(shrink)
    assert proxy.seen[DROP] + proxy.seen[RESET] + proxy.seen["500"] + proxy.seen["503"] > 5
    proxy.rule = lambda method, path: PASS
    shrink()
    assert is_whole(first) and len(refs_of(objects)) == 1
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)


@pytest.mark.slow
def test_a_slow_line_delays_and_does_no_more(tmp_path: Path, proxy: FaultProxy) -> None:
    """Every request takes 200 ms longer."""

    def slowly(method: str, path: str) -> str:
        time.sleep(0.2)
        return PASS

    objects = behind(proxy, "latency")
    proxy.rule = slowly
    first = first_machine(tmp_path / "a", objects)
    first.push()
    first.save()
    assert first.push().objects == 1
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)


def test_a_server_that_asks_to_slow_down_is_asked_later(tmp_path: Path, proxy: FaultProxy) -> None:
    """It refuses the first requests of a push: the push waits, and is made once."""
    objects = behind(proxy, "slow-down")
    first = first_machine(tmp_path / "a", objects)
    first.push()
    first.save()
    refused: list[str] = []

    def rule(method: str, path: str) -> str:
        if len(refused) < 3:
            refused.append(path)
            return "503"
        return PASS

    proxy.rule = rule
    assert first.push().entries == 1
    assert len(refused) == 3 and len(refs_of(objects)) == 2


def test_clocks_that_differ_change_nothing(tmp_path: Path) -> None:
    """One machine's clock is ten years behind: what each pushes, pulls and collects is whole, and
    nobody's push is taken for an older one."""
    objects = CloudObjects(MemoryStore(), "memory")
    first = first_machine(tmp_path / "a", objects)
    first.push()
    second = next_machine(tmp_path / "b", first)
    years = 10 * 365 * 24 * 3600 * 10**9
    late = clock.FakeClock(clock.now_ns() - years, seed=77)
    with clock.use(late):
        second.pull()
        second.save(2)
        second.push()
        with second.open() as repository:
            collect_replica(repository, objects, second.url)
    first.save()
    first.push()
    first.pull()
    assert holds(first, first, second)
    assert is_whole(first)


def test_a_clock_that_the_server_refuses_is_named() -> None:
    """The words tell to set the clock, not to look for other credentials."""
    error = PermissionError("403 Forbidden: <Code>RequestTimeTooSkewed</Code>")
    told = tell(error, "write", "refs/a/1", "s3://bucket/prefix")
    assert isinstance(told, Denied) and "clock" in told.hint and "credentials" not in told.hint


@pytest.mark.parametrize("place", ["s3://physics-403/x", "s3://b/credentials", "s3://b/507"])
def test_a_name_is_no_refusal(place: str) -> None:
    """A bucket or a prefix may be called so: a server that is away does not refuse anything."""
    address = f"https://s3.amazonaws.com/{place.removeprefix('s3://')}/refs"
    error = OSError(f"Generic S3 error: Error performing PUT {address} in 10s - connection reset")
    told = tell(error, "write", "refs/x", place)
    assert type(told) is Unavailable and told.retryable


def test_credentials_that_are_mended_are_used(
    tmp_path: Path, seaweed: Server, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With wrong ones the push is refused in words that hold neither; with the right ones it goes
    on."""
    url = f"s3://rewind/wrong-keys-{os.getpid()}?endpoint={seaweed.endpoint}&region=us-east-1"
    first = first_machine(tmp_path / "a", open_objects(parse_address(url)))
    first.push()
    first.save()
    with fault_proxy(seaweed.endpoint) as proxy:
        proxy.rule = lambda method, path: "403"
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-right-one")
        first.objects = behind(proxy, "wrong-keys")
        with pytest.raises(Denied) as caught:
            first.push()
    assert "not-the-right-one" not in str(caught.value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["AWS_SECRET_ACCESS_KEY"])
    first.objects = open_objects(parse_address(url))
    assert first.push().entries == 1


def _until_done(work: object) -> None:
    for _ in range(20):
        try:
            work()  # type: ignore[operator]
            return
        except Storage as error:
            assert error.retryable, error
    raise AssertionError("never succeeded")


def test_credentials_for_one_prefix_alone_are_enough(tmp_path: Path, proxy: FaultProxy) -> None:
    """Who may list the user's own prefix alone is refused, on some servers, where there is no such
    object; a list tells. With credentials that are refused everything it stays a refusal."""
    proxy.hides_missing = True
    objects = behind(proxy, "one-prefix")
    first = first_machine(tmp_path / "a", objects)
    with first.open() as repository:
        first.filled.add(repository, parts=[noise("large", 2 << 20)])
    first.push()
    first.save()
    assert first.push().entries == 1
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)
    assert objects.size("packs/none") is None
    proxy.rule = lambda method, path: "403"
    with pytest.raises(Denied):
        objects.size("packs/none")


def test_a_server_that_is_down_costs_nothing_here(tmp_path: Path, proxy: FaultProxy) -> None:
    """The push says so, the store works on, and when the server is back all is caught up."""
    objects = behind(proxy, "down")
    first = first_machine(tmp_path / "a", objects)
    first.push()
    proxy.rule = lambda method, path: "503"
    first.save()
    with pytest.raises(Unavailable) as caught:
        first.push()
    assert caught.value.retryable
    first.save()
    proxy.rule = lambda method, path: PASS
    assert first.push().entries == 2
    second = next_machine(tmp_path / "b", first)
    second.pull()
    assert holds(second, first)


def test_a_full_bucket_is_told_as_full(tmp_path: Path, proxy: FaultProxy) -> None:
    """Nothing is lost, and when there is room again the push goes on."""
    objects = behind(proxy, "full")
    first = first_machine(tmp_path / "a", objects)
    first.push()
    proxy.rule = lambda method, path: "507" if method == "PUT" else PASS
    first.save()
    with pytest.raises(Full):
        first.push()
    proxy.rule = lambda method, path: PASS
    assert first.push().entries == 1
    assert is_whole(first)


def test_no_secret_is_told(
    proxy: FaultProxy, keys: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Errors and logs of every kind of failure hold none of the credentials."""
    caplog.set_level(logging.DEBUG)
    objects = behind(proxy, "secrets")
    told = []
    for fate in ("403", "401", "400", "404", "500", RESET):
        proxy.rule = lambda method, path, fate=fate: fate  # type: ignore[misc]
        for ask in (
            lambda: objects.create("k", b"x"),
            lambda: objects.get("k"),
            lambda: list(objects.find("refs/")),
        ):
            with pytest.raises(RewindError) as caught:
                ask()
            told.append(str(caught.value))
            if fate in {"401", "403"}:
                assert isinstance(caught.value, Denied)
        if fate == RESET:
            break
    everything = "\n".join([*told, caplog.text, repr(objects), objects.place])
    for secret in keys.values():
        assert secret not in everything
    assert isinstance(objects, CloudObjects)
