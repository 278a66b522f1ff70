"""Large memory whose writes the system tells: the same states as where everything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_rewind.kernels.capture import CaptureOptions
from jupyter_rewind.kernels.pages import PageTracker
from tests.support.cells import Cells

TRACKED = CaptureOptions(budget_share=None, page_tracking=True)


@pytest.fixture(scope="module", autouse=True)
def _needs_pages() -> None:
    tracker = PageTracker.start()
    if tracker is None:
        pytest.skip("this system does not tell which pages were written")
    tracker.close()


_CELLS = st.sampled_from(
    (
        "a[{}] += 1", "a[{}:{}] = 7", "b[0, {}] -= 1", "v[{}] = 3", "c[:] = a[0]", "a = a.copy()",
        "c = np.zeros(200_000)", "a = np.arange(400_000.)", "del c; c = a", "a.sum()", "pass",
        "c = a[1000:]", "raw[{}] = 9", "import io; io.BytesIO(bytes([1] * 64)).readinto(raw)",
        "t = [a, b]", "t = None", "b = np.ones((300, 600))", "c = np.frombuffer(raw, 'u1')",
    )
)  # fmt: skip
_PLACES = st.tuples(st.integers(0, 299), st.integers(300, 599))


_PROGRAMS = st.lists(st.tuples(_CELLS, _PLACES), min_size=3, max_size=14)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(_PROGRAMS)
def test_states_are_those_that_were_even_where_pages_are_watched(
    tmp_path_factory: pytest.TempPathFactory, program: list[tuple[str, tuple[int, int]]]
) -> None:
    """Watching memory finds every change: views, copies, memory used again, reads from files."""
    cells = Cells(tmp_path_factory.mktemp("pages"), options=TRACKED)
    cells.run(
        "import numpy as np; raw = bytearray(2_000_000); a = np.arange(400_000.)"
        "; b = np.ones((300, 600)); v = a[5:]; c = a; t = None"
    )
    states: list[tuple[Any, dict[str, bytes]]] = []
    for source, places in program:
        state = cells.run(source.format(*places))
        states.append((state, contents(cells.namespace)))
    for state, expected in [*reversed(states), *states]:
        cells.go(state)
        assert contents(cells.namespace) == expected
    cells.close()


@pytest.mark.programs
@pytest.mark.timeout(0)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_PROGRAMS)
def test_states_of_many_programs_are_those_that_were(
    tmp_path_factory: pytest.TempPathFactory, program: list[tuple[str, tuple[int, int]]]
) -> None:
    """The same for more programs."""
    test_states_are_those_that_were_even_where_pages_are_watched.hypothesis.inner_test(  # type: ignore[attr-defined]
        tmp_path_factory, program
    )


def contents(namespace: dict[str, Any]) -> dict[str, bytes]:
    held = {name: bytes(namespace[name]) for name in ("a", "b", "c", "v", "raw")}
    return {**held, "t": b"".join(map(bytes, namespace["t"] or ()))}


def test_a_failed_look_forgets_what_the_system_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an interrupt, a change that the system told of before it is still found."""
    cells = Cells(tmp_path, options=TRACKED)
    cells.run("import numpy as np; a = np.arange(400_000.)")
    cells.run("pass")
    cells.run("pass")
    pod = cells.capturer.pod(("v:a",))
    assert pod is not None
    assert pod.buffers[0].is_watched

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("jupyter_rewind.kernels.capture.Facts", interrupt)
        with pytest.raises(KeyboardInterrupt):
            cells.run("a[200_000] = -5")
    state = cells.run("pass")
    cells.run("a[200_000] = 0")
    cells.go(state)
    cells.check("a[200_000] == -5")
    cells.close()
