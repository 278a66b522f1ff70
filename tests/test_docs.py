"""The docs say what the program does: tables come from it, commands in examples exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from jupyter_rewind.settings import Settings, describe

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_the_retention_page_states_the_default_policy() -> None:
    """Every number of the default policy stands in the docs beside its setting."""
    page = (ROOT / "docs/guide/retention.md").read_text(encoding="utf-8")
    stock = {row.key: row.default for row in describe(Settings())}
    bound = 0
    for key in ("keep_last", "hourly", "daily", "weekly", "deleted_days"):
        default = stock[f"retention.{key}"]
        sentence = next(s for s in re.split(r"\n- |\. ", page) if f"`retention.{key}`" in s)
        assert str(default) in sentence
        bound += int(default) if key != "deleted_days" else 0
    assert f"at most {bound}" in page.replace("\n", " ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A relative link in the README or the docs names a file that exists."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_lab_override_ships_the_default_autosave_interval() -> None:
    """What the wheel tells JupyterLab is the default of the setting."""
    override = yaml.safe_load((ROOT / "jupyter-config/lab/jupyter_rewind.json").read_text())
    shipped = override["@jupyterlab/docmanager-extension:plugin"]["autosaveInterval"]
    assert shipped == Settings().notebooks_autosave_seconds
