"""What a cell likely does outside the kernel is told before it runs again."""

from __future__ import annotations

import pytest

from jupyter_rewind.kernels.effects import likely_effects
from jupyter_rewind.kernels.rerun import assigned_names


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Path('x').open('w')", "writes files"),
        ("open('f', mode=how)", "writes files"),
        ("print(1, file=log)", "writes files"),
        ("np.savez('f', a=1)", "writes files"),
        ("frame.write_parquet('x')", "writes files"),
        ("zipfile.ZipFile('a.zip', 'w')", "writes files"),
        ("import shutil as s; s.copy('a', 'b')", "writes files"),
        ("%%file x.py\nx = 1", "writes files"),
        ("from urllib.request import urlopen; urlopen(place)", "uses the network"),
        ("pd.read_csv('https://example.org/a.csv')", "uses the network"),
        ("from subprocess import run; run(['make'])", "runs a program"),
        ("get_ipython().system('make')", "runs a program"),
        ("files = !ls", "runs a program"),
        ("%time con.execute('insert')", "uses a database"),
        ("%%timeit\nopen('f', 'w')", "writes files"),
        ("%%mine of somebody\nopen('f', 'w')", "writes files"),
        ("%%python\nprint(1)", "runs a program"),
    ],
)
def test_what_a_cell_does_outside_is_told(source: str, words: str) -> None:
    """However it is written: with another name, as a method, behind a magic."""
    assert likely_effects(source) == (words,)


@pytest.mark.parametrize(
    "source",
    [
        "open('f').read()",
        "Image.open('wax.png')",
        "print(1, file=sys.stderr)",
        "open(Path('a') / 'b', 'rb')",
        "total = sum(rows); text.replace('a', 'b'); found = re.search('a', text)",
    ],
)
def test_what_only_reads_is_not_told(source: str) -> None:
    """A warning for each cell would be none."""
    assert likely_effects(source) == ()


def test_what_functions_of_the_notebook_do_is_told_of_who_names_them() -> None:
    """Also through one another, through imports of earlier cells, and by methods."""
    before = [
        "import requests as web",
        "def store(text):\n    with open('out', 'a') as file: file.write(text)",
        "def report(rows): store(str(rows))",
        "class Site:\n    def post(self, text): web.post(self.place, data=text)\n"
        "    def length(self): return 3",
    ]
    assert likely_effects("report([1])", before) == ("writes files (store)",)
    assert likely_effects("site.post('a')", before) == ("uses the network (post)",)
    assert likely_effects("site = Site(); site.length()", before) == ()
    assert likely_effects("report([1]); open('x', 'w')", before) == ("writes files",)
    newer = [*before, "def store(text): return text"]
    assert likely_effects("report([1])", newer) == ()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("%time rows = load()", {"rows"}),
        ("%%time\nrows = load()", {"rows"}),
        ("files = !ls\ncount = len(files)", {"files", "count"}),
        ("where = %pwd", {"where"}),
        ("%%writefile mine.py\nrows = 1", set()),
        ("%%bash\nrows=1", set()),
    ],
)
def test_a_cell_with_magics_gives_the_names_that_it_binds(source: str, names: set[str]) -> None:
    """What made a variable is found behind a magic, and not in another language's text."""
    assert assigned_names(source) == names
