"""What running programs still hold of work that is deleted: open files, and memory (Linux)."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import Evidence, FoundDocument, Problem, Scope, Trace
from jupyter_rewind.recovery.memorycells import find_rows, join_rows
from jupyter_rewind.recovery.normal import cell_of
from jupyter_rewind.recovery.traces import memory
from jupyter_rewind.recovery.traces.memory import MemoryFinder
from jupyter_rewind.recovery.traces.openfiles import OpenFileFinder
from jupyter_rewind.recovery.unnamed import rebuild_named
from tests.support.ipythons import wait_until
from tests.support.notebooks import book_of, code_cell, image_output, to_bytes
from tests.support.processes import anybodys_folder, run_unprivileged
from tests.support.stock import Stock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[Stock]:
    for name in ("home", "work", "scratch"):
        (tmp_path / name).mkdir()
    running = Stock(tmp_path / "home", tmp_path / "work", Path(sys.executable))
    running.start()
    yield running
    running.stop()


def scope_of(stock: Stock, name: str = "analysis.ipynb", **more: Any) -> Scope:
    scratch = stock.home.parent / "scratch"
    return Scope(stock.work / name, stock.work, stock.home, scratch, **more)


def of_process(pid: int, finder: Any, scope: Scope) -> list[Trace]:
    found = [one for one in finder.find(scope) if isinstance(one, Trace)]
    # Numbers of processes stand in ports and paths of others, too.
    mine = (f"process {pid} ", f"/proc/{pid}/")
    return [one for one in found if one.place.startswith(mine)]


def cells(count: int, seed: int, word: str) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    made = []
    for n in range(count):
        source = f"# {word} {n}\n{word}_{n} = [{n}, 'ä“{chance.random()}']\nprint({word}_{n})\n"
        made.append(code_cell(n, source=source, outputs=[image_output(chance.randbytes(3000))]))
    return made


def told(document: FoundDocument) -> list[tuple[str, str]]:
    return [(cell.source, json.dumps(cell.outputs)) for cell in document.cells]


def wanted(book: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one.source, json.dumps(one.outputs)) for one in map(cell_of, book)]


@pytest.mark.slow
def test_a_servers_memory_gives_back_what_rm_took(stock: Stock) -> None:
    """`rm -rf` of notebooks and checkpoints: what was saved last is still in the server, whole.

    Earlier ones may be overwritten by then, in part; nothing but real cells is ever told.
    """
    books = {f"book{n}.ipynb": cells(30, n, f"word{n}") for n in range(3)}
    for name, made in books.items():
        stock.save(name, *made)
        stock.checkpoint(name)
        stock.ask("GET", f"api/contents/{name}")
    shutil.rmtree(stock.work)
    assert stock.process is not None
    scope = scope_of(stock, "book2.ipynb", memory=True)
    (trace,) = of_process(stock.process.pid, MemoryFinder(), scope)
    evidence = MemoryFinder().read(trace, scope)
    assert evidence.problems == ()
    complete = [one for one in evidence.documents if told(one) == wanted(books["book2.ipynb"])]
    assert complete, [(len(one.cells), one.damages) for one in evidence.documents]
    named = [one for one in evidence.documents if one.trace.notebook]
    assert all(one.trace.notebook == str(stock.work / "book2.ipynb") for one in named)
    known = {pair for book in books.values() for pair in wanted(book)}
    for document in evidence.documents:
        assert set(told(document)) <= known


@pytest.mark.slow
def test_a_notebook_of_the_same_name_that_another_folder_has_is_not_taken(stock: Stock) -> None:
    """The server serves another folder: its `analysis.ipynb` is not the one that you lost."""
    stock.save("analysis.ipynb", *cells(5, 1, "word"))
    stock.ask("GET", "api/contents/analysis.ipynb")
    assert stock.process is not None
    elsewhere = stock.home / "analysis.ipynb"
    scope = Scope(elsewhere, stock.home, stock.home, stock.home.parent / "scratch", memory=True)
    (trace,) = of_process(stock.process.pid, MemoryFinder(), scope)
    evidence = MemoryFinder().read(trace, scope)
    assert evidence.documents
    assert [one.trace.notebook for one in evidence.documents if one.trace.notebook] == []
    made = rebuild_named(elsewhere, evidence)
    assert made.cells == ()
    assert any("5 cells" in step and "word" in step for step in made.next_steps), made.next_steps


def test_memory_is_looked_at_only_when_asked(stock: Stock) -> None:
    """Without `--memory` no process is looked into."""
    assert list(MemoryFinder().find(scope_of(stock))) == []


def test_a_program_that_has_ended_is_told(stock: Stock) -> None:
    """A server that ends between finding and reading is an answer in words, not a crash."""
    from jupyter_rewind.errors import NotFound

    scope = scope_of(stock, memory=True)
    assert stock.process is not None
    (trace,) = of_process(stock.process.pid, MemoryFinder(), scope)
    stock.kill()
    with pytest.raises(NotFound, match="ended"):
        MemoryFinder().read(trace, scope)


def test_a_deleted_history_is_read_out_of_the_kernel_that_has_it_open(stock: Stock) -> None:
    """`rm -rf ~/.ipython` while a kernel runs: all that was run is still there."""
    stock.save("analysis.ipynb")
    kernel = stock.open("analysis.ipynb")
    sources = [f"value_{n} = {n}" for n in range(12)]
    for source in sources:
        kernel.run(source)
    stock.wait_for_history(sources[-1])
    shutil.rmtree(stock.home / ".ipython")
    scope = scope_of(stock)
    traces = of_process(kernel.pid, OpenFileFinder(), scope)
    histories = [one for one in traces if "history.sqlite" in one.words]
    assert histories
    evidence = sum((OpenFileFinder().read(one, scope) for one in histories), Evidence())
    ran = [one.source for run in evidence.runs for one in run.executions]
    assert [source for source in sources if source not in ran] == []


def test_a_deleted_notebook_is_read_out_of_the_program_that_has_it_open(tmp_path: Path) -> None:
    """A notebook that some program still has open comes back whole, others are left alone."""
    made = cells(4, 1, "word")
    for name in ("a.ipynb", "b.ipynb"):
        (tmp_path / name).write_bytes(to_bytes(book_of(made)))
    (tmp_path / "scratch").mkdir()
    code = "import sys; files = [open(one) for one in sys.argv[1:]]; print(flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.ipynb"), str(tmp_path / "b.ipynb")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        (tmp_path / "a.ipynb").unlink()
        (tmp_path / "b.ipynb").unlink()
        scope = Scope(tmp_path / "a.ipynb", tmp_path, tmp_path, tmp_path / "scratch")
        (trace,) = of_process(holder.pid, OpenFileFinder(), scope)
        assert trace.notebook == str(tmp_path / "a.ipynb")
        (document,) = OpenFileFinder().read(trace, scope).documents
        assert told(document) == wanted(made)
        everything = Scope(None, tmp_path, tmp_path, tmp_path / "scratch")
        assert len(of_process(holder.pid, OpenFileFinder(), everything)) == 2
    finally:
        holder.communicate(b"\n", timeout=60)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "latin-1"])
def test_a_notebook_in_noise_is_found(encoding: str) -> None:
    """Between other bytes, in the encodings that programs keep text in."""
    made = [code_cell(n, source=f"größe_{n} = 'é{n}' * {n}\n") for n in range(5)]
    body = json.dumps(book_of(made), ensure_ascii=False)
    text = f'{{"name": "a.ipynb", "path": "sub/a.ipynb", "content": {body}}}'
    noise = random.Random(5).randbytes(100_000)
    (row,) = join_rows(find_rows(noise + text.encode(encoding) + noise)[0])
    assert [cell.source for cell in row.cells] == ["".join(cell["source"]) for cell in made]
    assert row.is_complete and row.path == "sub/a.ipynb"
    assert row.metadata["kernelspec"]["name"] == "python3"


def test_a_path_is_only_that_of_the_content_it_stands_before() -> None:
    """Memory holds paths of many notebooks: one that is by chance near is not taken for a name."""
    made = json.dumps(book_of(cells(3, 4, "word")))
    around = [
        (f'{{"path": "a.ipynb", "created": "x", "content": {made}}}', "a.ipynb"),
        (f'{{"path": "a.ipynb", "more": {{"x": [1]}}, "content": {made}}}', "a.ipynb"),
        (f'{{"path": "a.ipynb", "content": {{}}}}, {{"type": "notebook", "content": {made}}}', ""),
        (f'"path": "a.ipynb"\0\0{{"content": {made}}}', ""),
        (f'{{"path": "a.ipynb", "old": {made}}}', ""),
        (made, ""),
    ]
    for text, path in around:
        [row] = join_rows(find_rows(text.encode())[0])
        assert (row.path, len(row.cells)) == (path, 3), text[:80]


@pytest.mark.slow
def test_tab_of_a_browser_is_looked_into(stock: Stock) -> None:
    """A browser's tab writes its command as one text; the notebook in it is one of the server's."""
    tab = "/usr/lib/chromium/chromium --type=renderer --user-data-dir=/tmp/a-profile --lang=en"
    made = cells(3, 1, "word")
    text = f'{{"path": "analysis.ipynb", "content": {json.dumps(book_of(made))}}}'
    code = f"held = {text!r}; print(flush=True); input()"
    holder = subprocess.Popen(
        [tab], executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(code.encode() + b"\n")
        holder.stdin.flush()
        wait_until(lambda: _is_named(holder.pid, tab))
        scope = scope_of(stock, memory=True)
        (trace,) = of_process(holder.pid, MemoryFinder(), scope)
        assert trace.words == "The memory of chromium, a browser or editor"
        wait_until(lambda: bool(MemoryFinder().read(trace, scope).documents))
        found = MemoryFinder().read(trace, scope).documents
        assert str(stock.work / "analysis.ipynb") in {one.trace.notebook for one in found}
        elsewhere = replace(scope, notebook=stock.home / "analysis.ipynb", folder=stock.home)
        found = MemoryFinder().read(trace, elsewhere).documents
        assert {one.trace.notebook for one in found} == {None}
    finally:
        holder.kill()
        holder.communicate()


def _is_named(pid: int, command: str) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(command.encode())


def test_pieces_that_overlap_are_joined() -> None:
    """Halves of a notebook in two places become one again; different notebooks never do."""
    made, other = cells(12, 2, "word"), cells(6, 3, "other")
    parts = [json.dumps(part)[1:-1].encode() for part in (made[:8], made[7:], other)]
    raw = b"\0\0".join([parts[1], parts[2], parts[0]])
    rows = join_rows(find_rows(raw)[0])
    assert sorted(len(row.cells) for row in rows) == [6, 12]
    assert [one.source for one in rows[0].cells] == [one for one, _ in wanted(made)]


def test_a_copy_without_plus_signs_is_not_told() -> None:
    """A server that took a notebook for a form keeps an altered copy: it is no notebook."""
    for outputs in ([], [image_output(bytes(range(256)) * 4)]):
        made = [code_cell(1, source="total = first+second\n", outputs=outputs)]
        right = json.dumps(made)
        rows, _ = find_rows(f"{right}\0{right.replace('+', ' ')}".encode())
        assert [row.cells[0].source for row in join_rows(rows)] == ["total = first+second\n"]


def test_halves_of_cells_in_memory_are_not_told() -> None:
    """Only what reads whole counts: memory is full of things that look alike."""
    text = json.dumps(code_cell(1, source="whole = 1\n")).encode()
    rows, _ = find_rows(text[:-20] + b"\xff\0" + text[:30] + b'"cell_type": "code", "x": 1}')
    assert rows == []


def test_what_cannot_be_looked_into_is_a_problem() -> None:
    """On a system without `/proc` the asked-for look is answered in words."""
    home = Path(os.path.expanduser("~"))
    scope = Scope(home / "a.ipynb", home, home, home, platform="darwin", memory=True)
    (problem,) = MemoryFinder().find(scope)
    assert isinstance(problem, Problem) and "Linux" in problem.words
    assert list(OpenFileFinder().find(scope)) == []


@pytest.fixture
def anybodys() -> Iterator[Path]:
    with anybodys_folder() as folder:
        yield folder


SYSCTL, RESTART = "sudo sysctl kernel.yama.ptrace_scope=0", "until it is started anew"


@pytest.mark.parametrize(
    ("rule", "told"), [("1", SYSCTL), ("2", SYSCTL), ("3", RESTART), ("0", ""), (None, "")]
)
def test_memory_that_is_closed_is_told_with_what_opens_it(
    anybodys: Path, monkeypatch: pytest.MonkeyPatch, rule: str | None, told: str
) -> None:
    """Ubuntu lets nobody look into memory, also not into their own: you are told the command that
    opens it, if one does; in the same words for each tab of a browser, so that few are named."""
    if rule is not None:
        (anybodys / "ptrace_scope").write_text(f"{rule}\n")
    monkeypatch.setattr(memory, "YAMA", anybodys / "ptrace_scope")
    scope = Scope(anybodys / "a.ipynb", anybodys, anybodys, anybodys, memory=True)
    first, another = (
        Trace(MemoryFinder.kind, f"process 1 ({name})", handle={"pid": "1"})
        for name in ("jupyter-lab", "chrome")
    )

    def look() -> None:
        heard = search.gather(scope, [first, another], [MemoryFinder()])
        assert [each.place for each in heard.problems] == [first.place, another.place]
        (words,) = {each.words for each in heard.problems}
        assert [each for each in (SYSCTL, RESTART) if each in words] == ([told] if told else [])

    run_unprivileged(look)
