"""A server that fails in all the ways servers do: nothing acknowledged is lost, nothing doubles."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import Denied, Full, RewindError, Storage, Unavailable
from jupyter_rewind.store.replica.address import open_objects, parse_address
from jupyter_rewind.store.replica.check import check
from jupyter_rewind.store.replica.cloud import CloudObjects
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


def _until_done(work: object) -> None:
    for _ in range(20):
        try:
            work()  # type: ignore[operator]
            return
        except Storage as error:
            assert error.retryable, error
    raise AssertionError("never succeeded")


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
