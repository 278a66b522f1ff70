"""What comes back of every kind of object, here and with other tools; writes docs/reference.

`python -m benchmarks.fidelity`: about ten minutes. Every tool gets the same kinds, each in a
process of its own, and the same checks judge all of them. Kishu gets an environment of its own.
"""

from __future__ import annotations

import collections
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.peer_environment import KISHU, kishu_python
from tests.support.examiner import ALL, missing_libraries
from tests.support.kinds import Kind

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "fidelity.md"
WAYS = ("in place", "new kernel", "after `kill -9`")
ORDER = ("ok", "placeholder", "told", "error", "wrong")
HEAD = """# What comes back of which kind of object

Made by `python -m benchmarks.fidelity`, which tries every kind with every tool in one run. Each
kind is made in a process of its own and kept; then it is brought back *in place* (in the same
process, after a cell changed it), in a *new kernel* (the process that made it ended), and *after
`kill -9`* (it was killed at once when the tool had said that the value is kept). The same check,
which knows nothing of the tools, then looks at values, at what is shared, and at behaviour.

| word | means |
| --- | --- |
| ok | The check holds. |
| placeholder | An object in its place says what it was and how to get it back. |
| told | It is not the same, and the tool says so, and why. |
| error | The tool refused, for all variables together. |
| wrong | It came back, or did not, and differs; nothing said so. |

dill is `dump_session` and `load_session`, cloudpickle one pickle of all variables but the imports.
Kishu runs in a shell of IPython as its users start it. Where it cannot keep a value it runs the
cell again, and does what the cell did outside the kernel once more; that counts as ok here if the
check holds. One word in a cell stands for all three ways; else they stand in the order above.

"""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one kind: a word of ORDER, and what the tool said of it."""

    word: str
    said: str


Answers = dict[str, dict[str, Found]]  # of one tool: way -> kind -> found


def main() -> int:
    """0 when nothing of ours is wrong in silence or fails."""
    kishu = kishu_python()
    if missing_libraries() or kishu is None:
        sys.stderr.write(f"No table without Kishu and {', '.join(missing_libraries())}.\n")
        return 1
    here = Path(sys.executable)
    found = {
        "Rewind": answers("tests.support.ours:Rewind", here),
        "Kishu": answers("benchmarks.peer_kishu:Kishu", kishu),
        "dill": answers("benchmarks.peers:Dill", here),
        "cloudpickle": answers("benchmarks.peers:Cloudpickle", here),
    }
    PAGE.write_text(HEAD + summary(found) + table(found) + reasons(found["Rewind"]))
    ours = {one.word for way in found["Rewind"].values() for one in way.values()}
    return 0 if ours <= {"ok", "placeholder", "told"} else 1


def answers(tool: str, python: Path) -> Answers:
    """What became of each kind, by how it was brought back."""
    place, keep, killed = f"place,{tool},place", f"keep,{tool},kept", f"killed,{tool},killed"
    fresh = [f"fresh,{tool},kept", f"fresh,{tool},killed"]
    with tempfile.TemporaryDirectory() as name:
        first = examine(python, Path(name), place, keep, killed)
        second = examine(python, Path(name), *fresh)
    return {
        WAYS[0]: first[place],
        WAYS[1]: _refused_or(first[keep], second[fresh[0]]),
        WAYS[2]: _refused_or(first[killed], second[fresh[1]]),
    }


def _refused_or(kept: Mapping[str, Found], back: Mapping[str, Found]) -> dict[str, Found]:
    """What came back, where anything was kept."""
    return {name: one if one.word == "error" else back[name] for name, one in kept.items()}


def examine(python: Path, folder: Path, *jobs: str) -> dict[str, dict[str, Found]]:
    """What the examiner found, run by that interpreter.

    What is not installed there is taken from here: it has the same version of Python.
    """
    start = (
        f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})\n"
        "from tests.support.examiner import main; main(*sys.argv[1:])"
    )
    home = folder / "home"
    home.mkdir(exist_ok=True)
    subprocess.run(
        [str(python), "-c", start, str(folder), *jobs],
        cwd=PAGE.parents[2],
        env={**os.environ, "KISHU_PATH_ROOT": str(home), "IPYTHONDIR": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=3600,
    )
    return {
        job: {name: Found(word(*one), one[1]) for name, one in json.loads(text).items()}
        for job in jobs
        for text in [(folder / f"{job}.json").read_text()]
    }


def word(status: str, _: str) -> str:
    return "error" if status in ("crashed", "hung") else status


def summary(found: Mapping[str, Answers]) -> str:
    """How many kinds ended how."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = ("dill", "cloudpickle", "ipython", "numpy", "pandas", "torch")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    lines = [
        f"{len(ALL)} kinds; Python {python}, kishu {KISHU}, {versions}:\n",
        "| | " + " | ".join(ORDER) + " |",
        "| --- " * (len(ORDER) + 1) + "|",
    ]
    for tool, ways in found.items():
        for way, one in ways.items():
            count = collections.Counter(each.word for each in one.values())
            figures = [str(count[each]) for each in ORDER]
            lines.append("| " + " | ".join([f"{tool}, {way}", *figures]) + " |")
    return "\n".join(lines) + "\n"


def table(found: Mapping[str, Answers]) -> str:
    """Every kind, by group."""
    lines: list[str] = []
    group = ""
    for kind in ALL:
        if kind.group != group:
            group = kind.group
            lines += [
                f"\n## {group[0].upper()}{group[1:]}\n",
                "| kind | " + " | ".join(found) + " |",
            ]
            lines += ["| --- " * (len(found) + 1) + "|"]
        cells = [cell([way[kind.name].word for way in ways.values()]) for ways in found.values()]
        lines.append("| " + " | ".join([title(kind), *cells]) + " |")
    return "\n".join(lines) + "\n"


def title(kind: Kind) -> str:
    """Its name as Markdown."""
    return "".join(f"\\{char}" if char in "_*|`<" else char for char in kind.name)


def cell(words: list[str]) -> str:
    shown = ["**wrong**" if each == "wrong" else each for each in words]
    return shown[0] if len(set(shown)) == 1 else " / ".join(shown)


def reasons(ours: Answers) -> str:
    """What Rewind says of each kind that does not come back in a new kernel as it was."""
    lines = ["\n## What Rewind says of those that are not ok\n", "| kind | in `%rewind report` |"]
    lines.append("| --- | --- |")
    for kind in ALL:
        one = ours[WAYS[2]][kind.name]
        if one.word != "ok":
            said = re.sub(r"(/[^/' ]+)*/tmp\w+", "…/data", one.said)
            said = said.replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {title(kind)} | `` {said} `` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
