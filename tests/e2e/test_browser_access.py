"""What Rewind shows, by keyboard alone and to a screen reader, light and dark, in a real browser.

Set SCREENSHOTS to a folder to get each picture twice, light and dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.access import flaws, is_flawless, use_theme
from tests.support.editing import append, save
from tests.support.lab import (
    TOKEN,
    Lab,
    LabServer,
    chromium_page,
    hears_keys,
    idle,
    shoot,
    wait_until,
    write_notebook,
)
from tests.support.panel import is_newest, list_all
from tests.support.toasts import hear

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser-access")]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    # What is typed stays unsaved until somebody saves.
    with LabServer(tmp_path_factory.mktemp("access"), autosave=False) as server:
        yield server.lab


@pytest.fixture
def page() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tool, chromium_page(tool) as window:
        yield window


def focused(page: Any) -> str:
    """What a screen reader would call the element that has the keyboard."""
    words = page.evaluate(
        "(() => { const it = document.activeElement;"
        " return it.getAttribute('aria-label') || it.innerText || it.title || it.tagName; })()"
    )
    return str(words).strip()


def tab_to(page: Any, words: str, limit: int = 80, key: str = "Tab") -> None:
    """Presses Tab until the element with these words has the keyboard."""
    passed = []
    for _ in range(limit):
        if focused(page) == words:
            return
        passed.append(focused(page)[:40])
        page.keyboard.press(key)
    raise AssertionError(f"Tab does not lead to “{words}”, but to {passed}")


def is_within(page: Any, part: str) -> bool:
    """Whether the keyboard is in this part of the page."""
    return bool(page.evaluate("part => !!document.activeElement.closest(part)", part))


def choose_in_palette(page: Any, words: str) -> None:
    """Ctrl+Shift+C, the words, Enter."""
    page.keyboard.press("Control+Shift+c")
    page.locator(".lm-CommandPalette-input:focus").wait_for()
    page.keyboard.insert_text(words)
    page.locator(".lm-CommandPalette-item.lm-mod-active", has_text=words).wait_for()
    page.keyboard.press("Enter")


def open_alone(page: Any, lab: Lab, name: str) -> None:
    """Opens a notebook in a workspace without any other."""
    page.goto(f"{lab.address}lab/workspaces/{name.split('.')[0]}/tree/{name}?token={TOKEN}&reset")
    hears_keys(page)
    page.wait_for_selector(".jp-Notebook .jp-Cell >> text=mean(rows)")


def open_fresh(page: Any, lab: Lab, name: str) -> Path:
    """A new notebook, open, with the keyboard in its first cell."""
    path = lab.folder / name
    write_notebook(path)
    open_alone(page, lab, name)
    idle(page)
    page.keyboard.press("Escape")
    return path


def save_with(page: Any, lab: Lab, name: str, text: str) -> None:
    append(page, 3, f"\n{text}")
    save(page)
    wait_until("the save", lambda: text in (lab.folder / name).read_text())
    wait_until("its checkpoint", lambda: is_newest(lab, text, name))


@pytest.mark.matrix
def test_the_history_and_a_comparison(lab: Lab, page: Any) -> None:
    """Ctrl+Alt+H leads into the sidebar, Tab to each button, Enter compares; Alt+W leads out."""
    name = "compared.ipynb"
    open_fresh(page, lab, name)
    save_with(page, lab, name, "# one")
    save_with(page, lab, name, "# two")
    page.keyboard.press("Control+Alt+h")
    list_all(page.locator(".jp-Rewind-history"), lab, name)
    wait_until("the keyboard in the sidebar", lambda: is_within(page, ".jp-Rewind-history"))
    is_flawless(page, "access-history", ".jp-Rewind-history", ".jp-Rewind-standing")
    tab_to(page, "Compare")
    page.keyboard.press("Tab")
    tab_to(page, "Compare")  # the newest is what the file holds
    page.keyboard.press("Enter")
    page.locator(".jp-Rewind-comparison .jp-Notebook-diff").wait_for()
    wait_until("the keyboard in it", lambda: is_within(page, ".jp-Rewind-comparison"))
    is_flawless(page, "access-comparison", ".jp-Rewind-comparison")
    page.keyboard.press("Alt+w")
    wait_until("it is closed", lambda: page.locator(".jp-Rewind-comparison").count() == 0)
    save_with(page, lab, name, "# three")


def test_a_name_for_what_is_saved(lab: Lab, page: Any) -> None:
    """Ctrl+Alt+S asks for it, Enter saves; Escape leaves, and one types on where one was."""
    name = "named.ipynb"
    path = open_fresh(page, lab, name)
    append(page, 3, "\n# worth a name")
    page.keyboard.press("Control+Alt+s")
    dialog = page.locator(".jp-Dialog")
    dialog.wait_for()
    is_flawless(page, "access-name", ".jp-Dialog")
    page.keyboard.press("Escape")
    wait_until("it is closed", lambda: dialog.count() == 0)
    page.keyboard.insert_text(" and more")
    page.get_by_text("# worth a name and more").first.wait_for()
    page.keyboard.press("Control+Alt+s")
    page.locator(".jp-Dialog input:focus").wait_for()
    page.keyboard.insert_text("by keyboard")
    page.keyboard.press("Enter")
    wait_until("the save", lambda: "worth a name and more" in path.read_text())
    labels = "by keyboard"
    wait_until("its name", lambda: labels in lab.checkpoints(name)[-1]["labels"])


def test_what_the_status_bar_explains(lab: Lab, page: Any) -> None:
    """Enter on the item opens it, Escape closes it."""
    open_fresh(page, lab, "standing.ipynb")
    append(page, 3, "\n# edited")
    page.locator(".jp-Rewind-standing button").focus()
    page.keyboard.press("Enter")
    page.locator(".jp-Dialog").wait_for()
    is_flawless(page, "access-standing", ".jp-Dialog", ".jp-Rewind-standing")
    page.keyboard.press("Escape")
    wait_until("it is closed", lambda: page.locator(".jp-Dialog").count() == 0)
    wait_until("the keyboard back", lambda: is_within(page, ".jp-Rewind-standing"))


def test_edits_that_were_kept(lab: Lab, page: Any) -> None:
    """The palette finds them; the offer is read out, and its buttons are reached with Tab."""
    name = "drafts.ipynb"
    open_fresh(page, lab, name)
    append(page, 3, "\n# never saved")

    def is_kept() -> bool:
        return bool(lab.ask(f"rewind/api/v1/drafts?path={name}")["drafts"])

    wait_until("the draft", is_kept)
    page.goto("about:blank")
    open_alone(page, lab, name)
    offer = page.locator(".Toastify__toast", has_text="unsaved edits of")
    offer.wait_for()
    is_flawless(page, "access-drafts", ".Toastify__toast")

    def anew(act: Callable[[], None]) -> None:
        """After `act` there is another offer in the place of the one that stands there."""
        offer.evaluate("toast => (toast.dataset.earlier = 'yes')")
        act()
        page.locator(".Toastify__toast[data-earlier]").wait_for(state="detached")
        offer.wait_for()

    anew(lambda: choose_in_palette(page, "Show Unsaved Edits That Were Kept"))
    tab_to(page, "Compare")
    anew(lambda: page.keyboard.press("Enter"))
    page.locator(".jp-Rewind-comparison").get_by_text("never saved").first.wait_for()
    is_flawless(page, "access-drafts-comparison", ".jp-Rewind-comparison")
    wait_until("the keyboard in it", lambda: is_within(page, ".jp-Rewind-comparison"))
    tab_to(page, "Restore")
    page.keyboard.press("Enter")
    hear(page, "are back in")


def test_what_can_be_recovered(lab: Lab, page: Any) -> None:
    """The palette leads to the list, Tab to each button, Enter to what is left of a notebook; the
    page that tells of its cells has no flaw either."""
    name = "lost.ipynb"
    open_fresh(page, lab, name)
    save_with(page, lab, name, "# kept")
    page.keyboard.press("Alt+w")
    wait_until("it is closed", lambda: page.locator(".jp-Notebook").count() == 0)
    lab.delete(name)
    wait_until("its end in the history", lambda: name in lab.deleted())
    choose_in_palette(page, "Recover…")
    view = page.locator(".jp-Rewind-recovery")
    view.get_by_text("Where it was looked").wait_for()
    is_flawless(page, "access-recovery", ".jp-Rewind-recovery")
    wait_until("the keyboard in it", lambda: is_within(page, ".jp-Rewind-recovery"))
    tab_to(page, "Undelete")
    tab_to(page, "Look closer")
    page.keyboard.press("Enter")
    view.get_by_role("heading", name="What can be brought back of").wait_for()
    is_flawless(page, "access-recovery-notebook", ".jp-Rewind-recovery")
    report = str(view.locator("iframe").get_attribute("srcdoc"))
    use_theme(page, "Dark")
    tab_to(page, "Look in the whole folder")
    page.keyboard.press("Enter")
    view.get_by_text("Where it was looked").wait_for()
    tab_to(page, "Undelete")
    tab_to(page, "Look closer")
    page.keyboard.press("Enter")
    inside = view.frame_locator("iframe").locator("body")
    inside.get_by_text("sorted(rows)").first.wait_for()  # no other page comes into it any more
    ground = "body => getComputedStyle(body).backgroundColor"
    wait_until("a dark page", lambda: inside.evaluate(ground) == "rgb(22, 24, 28)")
    shoot(page, "access-recovery-notebook-dark")
    dark = str(view.locator("iframe").get_attribute("srcdoc"))
    wait_until("the keyboard in it", lambda: is_within(page, ".jp-Rewind-recovery"))
    tab_to(page, "Write and open it")
    page.keyboard.press("Enter")
    wait_until("the new file", (lab.folder / "lost.recovered.ipynb").exists)
    for each in (report, dark):
        page.goto("about:blank")
        page.set_content(each)
        assert flaws(page) == []


def test_the_offer_for_a_damaged_notebook(lab: Lab, page: Any) -> None:
    """A dialog with the keyboard in it: Tab goes through its buttons, Escape leaves things be."""
    path = lab.folder / "damaged.ipynb"
    write_notebook(path)
    broken = path.read_text()[:-200]
    path.write_text(broken)
    page.goto(f"{lab.address}lab/workspaces/damaged/tree/{path.name}?token={TOKEN}")
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text("damaged.ipynb is damaged").wait_for()
    is_flawless(page, "access-damage", ".jp-Dialog")
    wait_until("the keyboard in it", lambda: is_within(page, ".jp-Dialog"))
    tab_to(page, "Recover…")
    page.keyboard.press("Escape")
    # Nor does JupyterLab say once more that it does not open.
    tab = page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=path.name)
    wait_until("nothing left of it", lambda: dialog.count() + tab.count() == 0)
    assert path.read_text() == broken


def test_the_settings(lab: Lab, page: Any) -> None:
    """The form of each of Rewind's settings has no flaw, and Tab leads to its switches."""
    page.goto(f"{lab.address}lab/workspaces/settings?token={TOKEN}")
    hears_keys(page)
    page.locator(".jp-LauncherCard").first.wait_for()
    page.keyboard.press("Control+,")
    search = page.locator(".jp-PluginList input")
    search.wait_for()
    search.fill("Jupyter Rewind")
    page.locator(".jp-PluginList-entry", has_text="Jupyter Rewind: saving").first.click()
    page.get_by_text("Save when an execution ends").first.wait_for()
    is_flawless(page, "access-settings", ".jp-SettingsForm")
    first = page.locator(".jp-SettingsForm input[type=checkbox]").first
    search.focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        if first.evaluate("box => box === document.activeElement"):
            return
    raise AssertionError("Tab does not lead to the switches")


def test_notebook_7(tmp_path: Path, page: Any) -> None:
    """Its sidebar, and the dialogs in which it shows a comparison and what can be recovered."""
    name = "analysis.ipynb"
    with LabServer(tmp_path, "notebook", autosave=False) as server:
        write_notebook(server.lab.folder / name)
        page.goto(f"{server.lab.address}notebooks/{name}?token={TOKEN}")
        hears_keys(page)
        page.wait_for_selector(".jp-Notebook .jp-Cell >> text=mean(rows)")
        save_with(page, server.lab, name, "# one")
        save_with(page, server.lab, name, "# two")
        page.keyboard.press("Control+Alt+h")
        list_all(page.locator(".jp-Rewind-history"), server.lab, name)
        wait_until("the keyboard in the sidebar", lambda: is_within(page, ".jp-Rewind-history"))
        tab_to(page, "Compare")
        page.keyboard.press("Tab")
        tab_to(page, "Compare")
        page.keyboard.press("Enter")
        page.locator(".jp-Dialog .jp-Notebook-diff").wait_for()
        is_flawless(page, "access-notebook7-comparison", ".jp-Dialog", ".jp-Rewind-history")
        page.keyboard.press("Escape")
        wait_until("it is closed", lambda: page.locator(".jp-Dialog").count() == 0)
        choose_in_palette(page, "Recover…")
        page.locator(".jp-Dialog").get_by_text("Where it was looked").wait_for()
        is_flawless(page, "access-notebook7-recovery", ".jp-Dialog")
        wait_until("the keyboard in it", lambda: is_within(page, ".jp-Dialog"))
        page.keyboard.press("Escape")
        wait_until("it is closed", lambda: page.locator(".jp-Dialog").count() == 0)
