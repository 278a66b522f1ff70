"""Parts of the docs that are made from the program, so that the two cannot drift apart.

`rewind-settings`, `rewind-exit-statuses`, `rewind-rest`, `rewind-traces`: without arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from jupyter_rewind.faces.cli import statuses
from jupyter_rewind.recovery.traces import ALL
from jupyter_rewind.settings import Rewind, dotted_key, environment_name, setting_traits

_METHODS = ("get", "post", "put", "patch", "delete")


def settings_list() -> str:
    """Every setting, in the order of the code: key, meaning, default, environment variable."""
    stock = Rewind()
    lines = []
    for name, trait in setting_traits().items():
        key = dotted_key(name)
        default = trait.metadata.get("shown_default", getattr(stock, name))
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        shown = f"`{shown}`" if shown else "empty"
        lines += [
            f"`{key}`",
            f": {trait.help} Default: {shown}.<br>",
            f"  `{environment_name(key)}`",
        ]
        lines.append("")
    return "\n".join(lines)


def rest_table() -> str:
    """Every operation of the OpenAPI file that the server serves."""
    text = files("jupyter_rewind.faces.server").joinpath("openapi.yaml").read_text("utf-8")
    document = yaml.safe_load(text)
    lines = ["| request | answer |", "| --- | --- |"]
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                summary = item[method].get("summary", "").replace("|", r"\|")
                lines.append(f"| `{method.upper()} {path}` | {summary} |")
    return "\n".join(lines)


def traces_list() -> str:
    """Every kind of trace: what it can give back, and where it lies on each platform."""
    lines = []
    for finder in ALL:
        holds = ", ".join(sorted(finder.holds)) or "nothing that can be read"
        asked = " Only where you ask for it." if finder.asked_only else ""
        lines += [f"{finder.title[0].upper()}{finder.title[1:]} (`{finder.kind}`)"]
        lines += [f": Holds {holds}.{asked}"]
        for key, name in (("linux", "Linux"), ("macos", "macOS"), ("windows", "Windows")):
            if finder.where.get(key):
                lines += ["", f"  {name}: {finder.where[key]}"]
        lines += [""]
    return "\n".join(lines)


def directive(make: Callable[[], str]) -> type[SphinxDirective]:
    """A directive that stands for the Markdown that `make` gives."""

    class Made(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            box = nodes.container()
            source = f"<{make.__name__}>"
            self.state.nested_parse(StringList(make().splitlines(), source), 0, box)
            return box.children

    return Made


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("rewind-settings", directive(settings_list))
    app.add_directive("rewind-exit-statuses", directive(statuses.as_markdown))
    app.add_directive("rewind-rest", directive(rest_table))
    app.add_directive("rewind-traces", directive(traces_list))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
