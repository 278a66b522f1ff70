"""The page of a recovery: it shows what a notebook holds and obeys none of it."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_rewind.recovery import recover as room
from jupyter_rewind.recovery.evidence import (
    EVERYTHING,
    Evidence,
    EvidenceCell,
    FoundDocument,
    Trace,
)
from jupyter_rewind.recovery.rebuild import rebuild
from jupyter_rewind.recovery.recover import Recovery
from jupyter_rewind.recovery.search import Found
from jupyter_rewind.recovery.webpage import as_page
from tests.support.evidence import TARGET, document, session
from tests.support.traces import Home

EVIL = (
    "<script>alert(1)</script>",
    "</pre><img src=x onerror=alert(2)>",
    "\"'><svg onload=alert(3)>",
    "</style></title><script>alert(4)</script>",
    "<iframe srcdoc='<script>alert(5)</script>'></iframe>",
    "<a href=javascript:alert(6)>click</a>",
    "<!--><script>alert(7)</script>-->",
)
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5Erk"
    "Jggg=="
)
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "b", "ul", "li", "br",
    "span", "div", "section", "pre", "img", "details", "summary",
}  # fmt: skip


class Reader(HTMLParser):
    """What a browser would make of the page: its elements, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def check_inert(page: str) -> Reader:
    """The page has only elements of ours, no handler, and no address but of pictures."""
    reader = Reader(page)
    for tag, attributes in reader.elements:
        assert tag in ALLOWED
        assert not any(name.startswith("on") or name in ("href", "srcdoc") for name in attributes)
        if tag == "img":
            assert str(attributes["src"]).startswith("data:image/")
    return reader


def recovery_of(cells: list[EvidenceCell], name: str = "analysis.ipynb") -> Recovery:
    notebook = Path("/work") / name
    trace = Trace("checkpoint", f"/work/{name}", str(notebook), EVERYTHING, 10**18, 5, name)
    evidence = Evidence(documents=(FoundDocument(trace, tuple(cells), time_ns=10**18),))
    found = Found((trace,), (), ())
    return Recovery(notebook, found, evidence, rebuild(notebook, evidence), (), None)


def output(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": {}}


def evil_cells(text: str) -> list[EvidenceCell]:
    outputs = (
        {"output_type": "stream", "name": "stdout", "text": [text]},
        {"output_type": "error", "ename": text, "evalue": text, "traceback": [text]},
        output({"text/html": text, "text/plain": text, text: text}),
        output({"image/svg+xml": f"<svg>{text}</svg>"}),
        output({"image/png": text}),
        output({"application/javascript": text}),
        {"output_type": text},
        {},
    )
    return [
        EvidenceCell("markdown", text),
        EvidenceCell("code", text, outputs=outputs, cell_id="a"),
        EvidenceCell("raw", text),
    ]


@pytest.mark.parametrize("text", EVIL)
def test_what_a_notebook_holds_is_text_on_the_page(text: str) -> None:
    """Markup and scripts in cells, outputs and names are shown as they are written."""
    reader = check_inert(as_page(recovery_of(evil_cells(text), name=text.replace("/", "_"))))
    assert reader.text.count(text) >= 5


@given(
    st.text(
        st.characters(exclude_categories=[]) | st.sampled_from("<>&\"'/\\\x00\x1b-!"), max_size=60
    )
)
def test_any_text_keeps_the_page_inert(text: str) -> None:
    """No text breaks out of its place, and every page is UTF-8."""
    page = as_page(recovery_of(evil_cells(text or "x")))
    check_inert(page)
    page.encode()


def test_pictures_are_shown() -> None:
    """A plot is seen as a plot; what is no picture is told as that."""
    cells = [EvidenceCell("code", "plot()", outputs=(output({"image/png": PIXEL}),))]
    elements = check_inert(as_page(recovery_of(cells))).elements
    assert [each["src"] for tag, each in elements if tag == "img"] == [
        f"data:image/png;base64,{PIXEL}"
    ]
    broken = [EvidenceCell("code", "plot()", outputs=(output({"image/png": "%%"}),))]
    reader = check_inert(as_page(recovery_of(broken)))
    assert "cannot be read" in reader.text
    assert "img" not in {tag for tag, _ in reader.elements}


def test_page_says_first_that_nothing_was_changed() -> None:
    """Before any detail you read what is safe, and what "certain" means."""
    text = check_inert(as_page(recovery_of([EvidenceCell("code", "x = 1")]))).text
    assert "Nothing that was there was changed" in text
    assert text.index("Nothing that was there") < text.index("Where it came from")
    assert "Of the cells marked certain at least 90% are right" in text


def test_saved_text_that_gave_way_is_first_of_what_is_kept_besides() -> None:
    """What stood in the file and was replaced by what ran later comes before tries and looks."""
    saved = "model = Forest(trees=100, depth=4)\nmodel.fit(table, price)\nmodel.score(table)"
    ran = ["a_try = 1", "a_try", saved, saved.replace("depth=4", "depth=5")]
    run = session(1, ran, at=-600, lasting=None, notebook=str(TARGET))
    evidence = Evidence((document(EvidenceCell("code", saved, execution_count=3)),), (run,))
    rebuilt = rebuild(TARGET, evidence)
    page = as_page(Recovery(TARGET, Found((), (), ()), evidence, rebuilt, (), None))
    kept = check_inert(page).text.partition("Kept, but not in the notebook")[2]
    assert kept.index("the text that was saved; what ran later took its place") < kept.index(
        "a_try"
    )


@pytest.mark.browser
def test_a_browser_runs_nothing_of_a_notebook(tmp_path: Path) -> None:
    """Opened in a real browser, a hostile notebook's page shows no dialog and loads nothing."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is missing; ./test installs it"
    cells = [cell for text in EVIL for cell in evil_cells(text)]
    page_file = tmp_path / "page.html"
    page_file.write_text(as_page(recovery_of(cells)), encoding="utf-8")
    happened: list[str] = []
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page()
        page.on("dialog", lambda dialog: (happened.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: happened.append(request.url))
        page.goto(page_file.as_uri())
        shown = page.locator("section.cell").count()
        browser.close()
    assert shown == len(cells)
    assert happened == [page_file.as_uri()]


def test_the_notebook_and_its_page_never_take_a_files_place(tmp_path: Path) -> None:
    """A file that exists stays what it is; the next number is taken instead."""
    home = Home(tmp_path)
    notebook = home.work / "analysis.ipynb"
    names = []
    for number in range(3):
        path = room.write_beside(notebook, ".ipynb", str(number).encode())
        names.append(path.name)
    assert names == [
        "analysis.recovered.ipynb",
        "analysis.recovered-2.ipynb",
        "analysis.recovered-3.ipynb",
    ]
    assert [(home.work / name).read_text() for name in names] == ["0", "1", "2"]
    assert not room.write_new(home.work / names[0], b"x")
    assert sorted(each.name for each in home.work.iterdir()) == sorted(names)


def test_half_characters_are_written(tmp_path: Path) -> None:
    """A cell with half a surrogate pair, as JSON can hold one, is written so that it opens."""
    made = json.loads(room.as_bytes(recovery_of([EvidenceCell("code", "x = '\ud800'")])))
    assert "".join(made["cells"][0]["source"]) == "x = '\ufffd'"
