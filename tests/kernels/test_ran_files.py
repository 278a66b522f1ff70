"""Files that `%run` ran: what is left of one run goes on with what the next one makes."""

from __future__ import annotations

import types

import pytest

from jupyter_rewind.kernels.ranfiles import RanFile
from tests.kernels.programs.grammar import Do
from tests.kernels.programs.machine import follow

_FILE = """
FILE = '''
rows, total = [], 0
def add(value):
    global total
    rows.append(value)
    total += 1
class Held:
    def add(self, value): add(value)
'''
HERE = os.path.join(os.getcwd(), 'more.py')
"""
_RUN = Do("cell", "pathlib.Path(HERE).write_text(FILE)\n%run {HERE}")
_MORE = Do("cell", "first = add; one = Held(); one.add(1)")
_ON = Do("cell", "first(2); one.add(3); add(4)")


@pytest.mark.parametrize(
    "steps",
    [
        (_RUN, Do("to", number=1), _RUN, _MORE, _ON),
        (_RUN, _MORE, Do("new kernel", number=3), _RUN, _ON),
        (_RUN, _MORE, Do("to", number=1), _RUN, Do("undo"), _RUN, _ON, Do("undo"), _ON),
        (_RUN, _MORE, Do("new kernel", number=1), _RUN, Do("to", number=3), _RUN, _ON),
    ],
    ids=["back", "in a new kernel", "undone", "in a new kernel and back"],
)
def test_a_file_that_is_run_again_shares_with_what_its_first_run_left(
    steps: tuple[Do, ...],
) -> None:
    """As where the cells ran one after the other, in a kernel that knows no restore."""
    follow([Do("cell", _FILE), *steps])


def test_what_stands_for_the_module_of_a_file_reads_and_writes_its_dictionary() -> None:
    """For whatever asks it, as a file that imports `__main__` does."""
    scope = {"__name__": "__main__", "rows": [1]}
    module = RanFile(scope)
    assert vars(module) is scope and module.rows == [1] and module.__name__ == "__main__"
    assert isinstance(module, types.ModuleType) and "rows" in dir(module)
    module.total = 2
    del module.rows
    assert scope == {"__name__": "__main__", "total": 2}
    with pytest.raises(AttributeError, match="rows"):
        print(module.rows)
    with pytest.raises(AttributeError, match="rows"):
        del module.rows
