"""What comes back of every kind of object, here and with other tools; writes docs/reference.

`python -m benchmarks.fidelity`: about ten minutes. Every tool gets the same kinds, each in a
process of its own; the same checks judge all of them.
"""

from __future__ import annotations

import collections
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.support.examiner import KINDS

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "fidelity.md"
TOOLS = {
    "Rewind": "tests.support.ours:Rewind",
    "pickle": "benchmarks.peers:Dumped",
    "dill": "benchmarks.peers:Dill",
    "cloudpickle": "benchmarks.peers:Cloudpickle",
}
WORDS = {"crashed": "error", "hung": "error", "wrong": "**wrong**"}
HEAD = """# What comes back of which kind of object

Made by `python -m benchmarks.fidelity`: each kind is made in a process of its own, kept, and
brought back: *in place* (the same process, after the value was changed), in a *fresh*
process after the first one ended, and after it was *killed*. A check then looks at
values, sharing and behaviour.

*ok*: the check holds. *placeholder*: an object that says what it was and how to get it back.
*told*: not the same, and the report says so and why. *error*: the tool refused, for all variables
together. *wrong*: it came back, differs, and nothing said so.

`pickle`, `dill` and `cloudpickle` dump the variables without the modules, as one; a process that
was killed after the dump leaves the same file, so they have no third column of their own.

"""


def main() -> int:
    """0 when nothing of ours is wrong in silence or fails."""
    with tempfile.TemporaryDirectory() as name:
        found = {tool: answers(tool, Path(name) / tool) for tool in TOOLS}
    PAGE.write_text(HEAD + summary(found) + table(found))
    ours = [one[0] for step in found["Rewind"].values() for one in step.values()]
    return 0 if set(ours) <= {"ok", "placeholder", "told"} else 1


def answers(tool: str, folder: Path) -> dict[str, dict[str, Any]]:
    """What became of each kind, by how it was brought back."""
    found = {"in place": examine("place", tool, folder / "place")}
    kept = examine("keep", tool, folder / "keep")
    fresh = examine("fresh", tool, folder / "keep")
    found["fresh"] = {name: one if one[0] == "error" else fresh[name] for name, one in kept.items()}
    if tool == "Rewind":
        examine("killed", tool, folder / "killed")
        found["killed"] = examine("fresh", tool, folder / "killed")
    return found


def examine(step: str, tool: str, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / f"{step}.json"
    command = [sys.executable, "-m", "tests.support.examiner", step, TOOLS[tool], str(folder)]
    subprocess.run([*command, str(results)], check=True, timeout=1800)
    return dict(json.loads(results.read_text()))


def columns(found: dict[str, dict[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{tool}, {how}", one) for tool in found for how, one in found[tool].items()]


def summary(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """How many kinds ended how."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("dill", "cloudpickle"))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    lines = [
        f"{len(KINDS)} kinds, Python {python}, {versions}:\n",
        "| | ok | placeholder | told | error | wrong |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for title, answers in columns(found):
        count = collections.Counter(word(one).strip("*") for one in answers.values())
        figures = [str(count[each]) for each in ("ok", "placeholder", "told", "error", "wrong")]
        lines.append("| " + " | ".join([title, *figures]) + " |")
    return "\n".join(lines) + "\n"


def table(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Every kind, by group."""
    lines: list[str] = []
    group = ""
    for kind in KINDS:
        if kind.group != group:
            group = kind.group
            titles = [title for title, _ in columns(found)]
            lines += [f"\n## {group[0].upper()}{group[1:]}\n"]
            lines += ["| kind | " + " | ".join(titles) + " |", "| --- " * (len(titles) + 1) + "|"]
        cells = [word(answers[kind.name]) for _, answers in columns(found)]
        lines.append("| " + " | ".join([kind.name, *cells]) + " |")
    return "\n".join(lines) + "\n"


def word(answer: Any) -> str:
    return WORDS.get(answer[0], answer[0])


if __name__ == "__main__":
    raise SystemExit(main())
