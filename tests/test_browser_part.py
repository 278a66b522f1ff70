"""The browser's part is built from what stands here, under the package's own version."""

from __future__ import annotations

import json
from pathlib import Path

import jupyter_rewind

ROOT = Path(__file__).parent.parent


def test_both_parts_carry_one_version() -> None:
    """The extension that JupyterLab lists has the version that pip installed."""
    package = json.loads((ROOT / "package.json").read_text())
    assert package["version"] == jupyter_rewind.__version__


def test_the_lock_file_names_no_place_to_fetch_from() -> None:
    """Whoever builds it fetches from the registry of their own choice."""
    assert "http" not in {
        str(part.get("resolved", ""))[:4]
        for part in json.loads((ROOT / "package-lock.json").read_text())["packages"].values()
    }


def test_a_language_pack_translates_settings_and_menus_too() -> None:
    """One domain, `jupyter_rewind`, holds the words of the panels, the settings and the menus."""
    schemas = list((ROOT / "schema").glob("*.json"))
    domains = {
        schema.stem: json.loads(schema.read_text()).get("jupyter.lab.internationalization")
        for schema in schemas
    }
    assert domains == {schema.stem: {"domain": "jupyter_rewind"} for schema in schemas}
