"""The page that says who can do what names, for each line, a test that there is."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "guide" / "security.md"


def test_each_line_of_the_threat_model_has_its_test() -> None:
    """No row of a table without a test, and no test that is gone."""
    rows = [
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not re.match(r"\|( ---|.*\| test \|$)", line)
    ]
    assert len(rows) > 25
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, name in named:
            text = (TESTS / file).read_text(encoding="utf-8")
            assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), (file, name)
