"""Whether what a page shows can be read by everybody: axe looks at it, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.lab import shoot, wait_until

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
THEMES = ("Light", "Dark")
#: What comes into view grows and gets its colours in half a second; bars that run down go on.
_IS_CALM = """parts => parts.every(part =>
  [...document.querySelectorAll(part)].every(node =>
    node.getAnimations({subtree: true}).every(each =>
      each.playState !== 'running' ||
      /progress/i.test(each.animationName ?? '') ||
      each.effect.getComputedTiming().iterations === Infinity)))"""


def use_theme(page: Any, theme: str) -> None:
    page.evaluate(
        "name => { void jupyterapp.commands.execute('apputils:change-theme', {theme: name}) }",
        f"JupyterLab {theme}",
    )
    light = "true" if theme == "Light" else "false"
    is_used = f"document.body.dataset.jpThemeLight === '{light}'"
    wait_until(f"the theme {theme}", lambda: page.evaluate(is_used))
    # JupyterLab covers the page while it changes.
    page.locator("#jupyterlab-splash").wait_for(state="detached")


def flaws(page: Any, *parts: str) -> list[str]:
    """What axe calls serious or critical in these parts of the page; each with where it is."""
    page.evaluate(AXE.read_text() + "; undefined")
    within = {"include": [[part] for part in parts]} if parts else {"exclude": []}
    found = page.evaluate("within => axe.run(within)", within)
    assert found["passes"], "axe has looked at nothing"
    return [
        f"{each['help']}: {node['html'][:200]} in {node['target'][-1]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def is_flawless(page: Any, name: str, *parts: str) -> None:
    """axe finds nothing serious in these parts of the page, light or dark."""
    for theme in THEMES:
        use_theme(page, theme)
        for part in parts:
            page.locator(part).first.wait_for()
        page.wait_for_function(_IS_CALM, arg=parts)
        found = flaws(page, *parts)
        assert not found, "\n".join(found)
        shoot(page, f"{name}-{theme.lower()}")
    use_theme(page, "Light")
