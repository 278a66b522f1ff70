"""What surrounds the variables comes back with them: chance, folder, options, paths."""

from __future__ import annotations

import decimal
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import sklearn

from jupyter_rewind.kernels.environment import Environment
from tests.support.pickling import round_trip


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """The surroundings of this process, which are as before after the test."""
    outer = Environment()
    before = outer.read()
    monkeypatch.chdir(tmp_path)
    yield Environment()
    assert outer.apply(before) == ()


def test_the_same_numbers_are_drawn_again(environment: Environment) -> None:
    """Python's and numpy's chance go on from where they were."""
    kept = round_trip(environment.read())
    drawn = random.random(), np.random.rand(3).tolist(), np.random.normal()
    random.seed(1)
    np.random.seed(1)
    assert environment.apply(kept) == ()
    assert drawn == (random.random(), np.random.rand(3).tolist(), np.random.normal())


def test_torch_goes_on_as_it_was(environment: Environment) -> None:
    """Its chance goes on from where it was, and its default type of numbers comes back."""
    torch = pytest.importorskip("torch")
    kept = round_trip(environment.read())
    drawn = torch.rand(3).tolist()
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    assert environment.apply(kept) == ()
    assert torch.get_default_dtype() is torch.float32
    assert drawn == torch.rand(3).tolist()


def test_options_go_back(environment: Environment) -> None:
    """Those set before come back, those set since are forgotten."""
    pd.set_option("display.max_rows", 7)
    mpl.rcParams["lines.linewidth"] = 9.0
    decimal.getcontext().prec = 5
    np.set_printoptions(precision=2)
    sklearn.set_config(assume_finite=True)
    kept = round_trip(environment.read())
    pd.set_option("display.max_rows", 70)
    pd.set_option("display.precision", 2)
    mpl.rcParams["lines.linewidth"] = 1.0
    mpl.rcParams["axes.grid"] = True
    decimal.getcontext().prec = 50
    np.set_printoptions(precision=8)
    np.seterr(all="raise")
    sklearn.set_config(assume_finite=False)
    assert environment.apply(kept) == ()
    assert (pd.get_option("display.max_rows"), pd.get_option("display.precision")) == (7, 6)
    assert (mpl.rcParams["lines.linewidth"], mpl.rcParams["axes.grid"]) == (9.0, False)
    assert decimal.getcontext().prec == 5
    assert np.get_printoptions()["precision"] == 2 and np.geterr()["divide"] == "warn"
    assert sklearn.get_config()["assume_finite"] is True


def test_filters_of_warnings_go_back(environment: Environment) -> None:
    """A warning that was ignored then is ignored again."""
    warnings.simplefilter("ignore", UserWarning)
    kept = round_trip(environment.read())
    warnings.simplefilter("error", UserWarning)
    assert environment.apply(kept) == ()
    warnings.warn("not an error", UserWarning, stacklevel=1)


def test_folder_variables_and_path_go_back(environment: Environment, tmp_path: Path) -> None:
    """What was set since is taken back, what was removed since is there again."""
    os.environ["REWIND_TEST_KEPT"] = "1"
    sys.path.insert(0, "/mine")
    kept = round_trip(environment.read())
    assert set(kept["variables"]) == {"REWIND_TEST_KEPT", "PYTEST_CURRENT_TEST"}
    (tmp_path / "other").mkdir()
    os.chdir(tmp_path / "other")
    os.environ["REWIND_TEST_SINCE"] = "2"
    del os.environ["REWIND_TEST_KEPT"]
    sys.path.remove("/mine")
    assert environment.apply(kept) == ()
    assert Path.cwd() == tmp_path and sys.path[0] == "/mine"
    assert os.environ["REWIND_TEST_KEPT"] == "1" and "REWIND_TEST_SINCE" not in os.environ


def test_a_folder_that_is_gone_is_told_and_the_rest_is_set(
    environment: Environment, tmp_path: Path
) -> None:
    """One part that fails costs itself alone."""
    kept = environment.read() | {"folder": str(tmp_path / "gone"), "later": 1}
    state = random.getstate()
    random.random()
    problems = environment.apply(kept)
    assert len(problems) == 2 and "gone" in problems[0] and "later" in problems[1]
    assert random.getstate() == state and Path.cwd() == tmp_path


@pytest.mark.usefixtures("environment")
def test_another_kernel_keeps_its_own_and_gets_the_changes() -> None:
    """Its own variables and paths stay; those of the notebook are added where they were."""
    os.environ["REWIND_TEST_KEPT"] = "1"
    first, *rest = "/one", *dict.fromkeys(sys.path)
    sys.path[:] = [first, *rest]
    environment = Environment()
    os.environ["REWIND_TEST_KEPT"] = "2"
    sys.path[:] = ["/ahead", *rest, "/behind"]
    kept = environment.read()
    sys.path[:] = [first, *rest, "/its own"]
    os.environ["REWIND_TEST_ITS_OWN"] = "3"
    del os.environ["REWIND_TEST_KEPT"]
    other = Environment()
    assert other.apply(kept) == ()
    assert sys.path == ["/ahead", *rest, "/its own", "/behind"]
    assert os.environ["REWIND_TEST_ITS_OWN"] == "3" and os.environ["REWIND_TEST_KEPT"] == "2"


def test_reading_imports_nothing() -> None:
    """A kernel without numpy stays without numpy."""
    code = (
        "import sys; from jupyter_rewind.kernels.environment import Environment;"
        "print(sorted(Environment().read()), 'numpy' in sys.modules, 'random' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["False", "False"]
