"""Edits that nobody saved, in a real browser: it is killed, the server is killed, the network goes.

Set SCREENSHOTS to a folder to get the pictures of the documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.support.drafting import (
    NAME,
    TYPED,
    is_kept,
    offer,
    shelved,
    shown,
    the_drafts,
    type_into,
    type_on,
)
from tests.support.editing import append_away, save
from tests.support.lab import (
    Chromium,
    Lab,
    LabServer,
    menu,
    open_notebook,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.toasts import hear

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabServer]:
    # What is typed stays unsaved until somebody saves.
    with LabServer(tmp_path, autosave=False) as running:
        yield running


def write_large(path: Path) -> None:
    """25 MB, most of it outputs, as pictures and tables are."""
    cells = [new_code_cell("mean(rows)", id="call")]
    for number in range(50):
        text = "".join(f"{number} {line} {'0123456789abcdef' * 32}\n" for line in range(980))
        output = new_output("stream", name="stdout", text=text)
        cells.append(new_code_cell(f"print({number})", id=f"c{number}", outputs=[output]))
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
    assert path.stat().st_size > 25e6


def test_the_browser_is_killed_a_second_after_typing_into_25_mb(
    server: LabServer, chromium: Chromium
) -> None:
    """kill -9 of the browser; the notebook opens with an offer, and Restore brings the text."""
    path = server.lab.folder / NAME
    write_large(path)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    before = path.read_bytes()
    type_into(page, 0, f"\n{TYPED}")
    # By the page's own clock: where the machine rests, so does the promise.
    page.evaluate("new Promise(done => setTimeout(done, 1000))")
    chromium.kill()
    assert path.read_bytes() == before
    chromium.start()
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    offer(page).get_by_role("button", name="Restore").click()
    page.get_by_text(TYPED).first.wait_for()
    hear(page, "are back in")
    save(page)
    wait_until("the save", lambda: TYPED in path.read_text())
    wait_until("no draft left", lambda: the_drafts(server.lab) == [])


@pytest.mark.matrix
def test_the_server_is_killed_while_somebody_types(
    server: LabServer, chromium: Chromium, tmp_path: Path
) -> None:
    """kill -9 of the server; what is typed meanwhile reaches the next one by itself."""
    write_notebook(server.lab.folder / NAME)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    type_into(page, 3, "\n# before")
    wait_until("the draft", lambda: is_kept(server.lab, "# before"))
    server.kill()
    type_on(page, 3, " and after")
    page.wait_for_timeout(1000)
    server.start()
    wait_until("the draft", lambda: is_kept(server.lab, "# before and after"))


def test_server_and_browser_are_killed(server: LabServer, chromium: Chromium) -> None:
    """First the server, then the browser: it is this browser that kept the edits, and hands them
    over when it opens the notebook again."""
    write_notebook(server.lab.folder / NAME)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    server.kill()
    type_on(page, 3, f"\n{TYPED}")
    wait_until("the draft in the browser", lambda: TYPED in shelved(page))
    chromium.kill()
    server.start()
    chromium.start()
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    offer(page).get_by_role("button", name="Restore").click()
    page.get_by_text(TYPED).first.wait_for()


def test_the_network_goes_and_comes_back(server: LabServer, chromium: Chromium) -> None:
    """Offline: the edits are kept in the browser; online: on the server, once and in order."""
    write_notebook(server.lab.folder / NAME)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    type_into(page, 3, "\n# one")
    wait_until("the draft", lambda: is_kept(server.lab, "# one"))
    chromium.context.set_offline(True)
    append_away(page, 3, " two")
    wait_until("the draft in the browser", lambda: " two" in shelved(page))
    assert not is_kept(server.lab, "# one two")
    chromium.context.set_offline(False)
    append_away(page, 3, " three")
    wait_until("the draft", lambda: is_kept(server.lab, "# one two three"))
    assert len(the_drafts(server.lab)) == 1


def test_two_tabs_keep_a_draft_each(server: LabServer, chromium: Chromium) -> None:
    """Both type and neither saves: neither is offered the other's, and a crash loses none."""
    write_notebook(server.lab.folder / NAME)
    one, two = chromium.page(), chromium.page()
    for page in (one, two):
        open_notebook(page, server.lab, NAME)
    type_into(one, 2, "\n# of the first tab")
    wait_until("its draft", lambda: is_kept(server.lab, "# of the first tab"))
    open_and_look(two, server.lab)
    type_into(two, 3, "\n# of the second tab")
    wait_until("its draft", lambda: is_kept(server.lab, "# of the second tab"))
    assert two.locator(".Toastify__toast", has_text="unsaved edits of").count() == 0
    assert len(the_drafts(server.lab)) == 2
    chromium.kill()
    chromium.start()
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    offer(page).get_by_role("button", name="Discard").click()
    page.get_by_text("unsaved edits of").first.wait_for()
    wait_until("one draft is gone", lambda: len(the_drafts(server.lab)) == 1)


def test_what_was_saved_is_not_offered(server: LabServer, chromium: Chromium) -> None:
    """Typed, saved, killed: the notebook opens without a question, and no draft stays behind."""
    path = server.lab.folder / NAME
    write_notebook(path)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    type_into(page, 3, f"\n{TYPED}")
    wait_until("the draft", lambda: is_kept(server.lab, TYPED))
    save(page)
    wait_until("the save", lambda: TYPED in path.read_text())
    wait_until("no draft", lambda: the_drafts(server.lab) == [])


@pytest.mark.matrix
def test_compare_shows_what_restoring_would_change(server: LabServer, chromium: Chromium) -> None:
    """Side by side: the file as it is, and the edits; the choice stays open."""
    write_notebook(server.lab.folder / NAME)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    type_into(page, 2, f"\n{TYPED}")
    wait_until("the draft", lambda: is_kept(server.lab, TYPED))
    chromium.kill()
    chromium.start()
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    told = offer(page)
    told.hover()
    shoot(page, "drafts-offer")
    told.get_by_role("button", name="Compare").click()
    page.locator(".jp-Rewind-comparison").get_by_text(TYPED).first.wait_for()
    offer(page).hover()
    shoot(page, "drafts-compare")


def test_no_room_anywhere_is_said(server: LabServer, chromium: Chromium) -> None:
    """The server does not answer and the browser's disk is full: one sentence says where the edits
    are, and gives a copy; when the server is back, they are handed over and it goes."""
    write_notebook(server.lab.folder / NAME)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    devtools = chromium.context.new_cdp_session(page)
    origin = server.lab.address.rstrip("/")
    quota = {"origin": origin, "quotaSize": 1}
    devtools.send("Storage.overrideQuotaForOrigin", quota)
    chromium.context.route("**/rewind/api/v1/drafts**", lambda route: route.abort())
    type_into(page, 3, f"\n{TYPED}")
    told = page.locator(".Toastify__toast", has_text="are in this tab only")
    with page.expect_download() as copy:
        told.get_by_role("button", name="Download").click()
    assert TYPED in Path(copy.value.path()).read_text()
    assert told.count() == 1
    chromium.context.unroute("**/rewind/api/v1/drafts**")
    wait_until("the draft", lambda: is_kept(server.lab, TYPED))
    wait_until("the notice gone", lambda: told.count() == 0)


def open_and_look(page: Any, lab: Lab) -> None:
    """Opens the notebook; by then this page has asked what was left behind."""

    def asks(reply: Any) -> bool:
        return reply.request.method == "GET" and "/rewind/api/v1/drafts?" in reply.url

    with page.expect_response(asks):
        open_notebook(page, lab, NAME)


def press_last(page: Any) -> None:
    """The last button of JupyterLab's dialog."""
    page.locator(".jp-Dialog").get_by_role("button").last.click()


def reload_from_disk(page: Any, _: Path) -> None:
    menu(page, "File", "Reload Notebook from Disk")
    press_last(page)


def revert_to_a_checkpoint(page: Any, _: Path) -> None:
    menu(page, "File", "Revert Notebook to Checkpoint…")
    press_last(page)


def revert_in_a_conflict(page: Any, path: Path) -> None:
    book = nbformat.read(path, 4)
    book.cells[0].source = "# Changed elsewhere"
    nbformat.write(book, path)
    page.keyboard.press("Control+s")
    page.locator(".jp-Dialog").get_by_role("button", name="Revert").click()


@pytest.mark.parametrize(
    "give_up", [reload_from_disk, revert_to_a_checkpoint, revert_in_a_conflict]
)
def test_edits_that_were_given_up_can_be_found(
    server: LabServer, chromium: Chromium, give_up: Any
) -> None:
    """What each of JupyterLab's ways back throws away is kept; the command brings it back."""
    path = server.lab.folder / NAME
    write_notebook(path)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    type_into(page, 3, f"\n{TYPED}")
    wait_until("the draft", lambda: is_kept(server.lab, TYPED))
    give_up(page, path)
    wait_until("the file's state", lambda: TYPED not in shown(page))
    wait_until("the end", lambda: the_drafts(server.lab)[0]["ended"] == "reverted")
    menu(page, "View", "Show Unsaved Edits That Were Kept")
    offer(page).get_by_role("button", name="Restore").click()
    page.get_by_text(TYPED).first.wait_for()


def test_edits_of_a_state_that_the_server_never_saw_can_be_downloaded(
    server: LabServer, chromium: Chromium, tmp_path: Path
) -> None:
    """Server and browser are killed, and the store and the file are others when they are back: the
    edited cells stay in the browser, and come as a file."""
    path = server.lab.folder / NAME
    write_notebook(path)
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    server.kill()
    type_on(page, 3, f"\n{TYPED}")
    wait_until("the draft in the browser", lambda: TYPED in shelved(page))
    chromium.kill()
    # Not deleted: the kernel lives, and writes there.
    (tmp_path / "home" / "data" / "rewind").rename(tmp_path / "another store")
    book = nbformat.read(path, 4)
    book.cells.insert(0, new_code_cell("another = 1"))
    nbformat.write(book, path)
    server.start()
    chromium.start()
    page = chromium.page()
    open_notebook(page, server.lab, NAME)
    told = page.locator(".Toastify__toast", has_text="Kept in this browser only")
    told.first.wait_for()
    told.first.hover()
    shoot(page, "drafts-refused")
    with page.expect_download() as copy:
        told.get_by_role("button", name="Download").click()
    assert copy.value.suggested_filename == "analysis.unsaved.ipynb"
    cells = nbformat.read(copy.value.path(), 4).cells
    assert [cell.source for cell in cells] == [f"mean(rows)\n{TYPED}"]
    told.get_by_role("button", name="Discard").click()
    wait_until("it is gone", lambda: told.count() == 0)
    wait_until("the browser forgets them", lambda: TYPED not in shelved(page))
    open_and_look(page, server.lab)
    page.get_by_text("another = 1").first.wait_for()
    assert told.count() == 0


def open_live(chromium: Chromium, lab: Lab) -> Any:
    """The notebook in a page, which goes on waiting for it as often as it is asked whether."""
    page = chromium.page()
    slow = page.locator(".jp-Dialog[aria-label^='Loading']")
    wait = "Continue waiting"
    page.add_locator_handler(slow, lambda told: told.get_by_role("button", name=wait).click())
    open_notebook(page, lab, NAME)
    return page


def test_a_live_document_is_kept_while_its_server_is_away(
    tmp_path: Path, chromium: Chromium
) -> None:
    """Under real-time collaboration the server saves each letter, and no draft stays beside it;
    what is typed with the network away survives the browser."""
    pytest.importorskip("jupyter_server_ydoc")
    with LabServer(tmp_path, live=True) as server:
        path = server.lab.folder / NAME
        write_notebook(path)
        page = open_live(chromium, server.lab)
        type_into(page, 3, "\n# live")
        wait_until("the server's save", lambda: "# live" in path.read_text())
        page.wait_for_timeout(4000)
        wait_until("no draft beside it", lambda: the_drafts(server.lab) == [])
        chromium.context.set_offline(True)
        append_away(page, 3, " and alone")
        wait_until("the draft in the browser", lambda: "alone" in shelved(page))
        chromium.kill()
        assert "alone" not in path.read_text()
        chromium.start()
        page = open_live(chromium, server.lab)
        offer(page).get_by_role("button", name="Restore").click()
        page.get_by_text("# live and alone").first.wait_for()
        wait_until("the server's save", lambda: "# live and alone" in path.read_text())


def answer_dialog(page: Any) -> None:
    """What JupyterLab says of its server and of the document, one after the other, is read, and
    done: it lies over everything until then, and later words wait for it."""
    said = page.locator(".jp-Dialog").get_by_role("button")
    if said.count():
        with suppress(Exception):  # it is gone by then, or the page is another one
            said.last.click(timeout=3000)


@pytest.mark.parametrize("first", ["the document", "the draft", "the reload"])
def test_a_live_document_outlives_its_server(
    tmp_path: Path, chromium: Chromium, first: str
) -> None:
    """kill -9 of the server in the middle of a word: whatever real-time collaboration makes of it
    when the server is back, what was typed is there or offered, whoever reaches that first; also
    where the server knows nothing of the document's session, and wants the page reloaded."""
    pytest.importorskip("jupyter_server_ydoc")
    with LabServer(tmp_path, live=True) as server:
        path = server.lab.folder / NAME
        write_notebook(path)
        page = open_live(chromium, server.lab)
        type_into(page, 3, "\n# live")
        wait_until("the server's save", lambda: "# live" in path.read_text())
        page.keyboard.type(" and in the")
        server.kill()
        append_away(page, 3, " middle")
        page.locator(".jp-Rewind-standing", has_text="Offline, kept as draft").wait_for()
        if first == "the draft":
            # The document's own connection waits for seconds between two tries.
            page.evaluate("setInterval(() => window.dispatchEvent(new Event('online')), 20)")
        if first == "the reload":
            # Before jupyter-collaboration 4 no session outlived its server.
            sessions = server.lab.folder / ".jupyter" / "collaboration_sessions.json"
            sessions.unlink(missing_ok=True)
        server.start()
        offered = page.locator(".Toastify__toast", has_text="unsaved edits of")

        def is_back() -> bool:
            answer_dialog(page)
            return offered.count() > 0 or "# live and in the middle" in path.read_text()

        try:
            wait_until("what was typed", is_back)
        except AssertionError as error:
            said = page.locator(".jp-Dialog").all_inner_texts()
            raise AssertionError(f"{error}; {said}; {the_drafts(server.lab)}") from error
        if offered.count():
            answer_dialog(page)
            offered.get_by_role("button", name="Restore").click()
        wait_until("the server's save", lambda: "# live and in the middle" in path.read_text())
