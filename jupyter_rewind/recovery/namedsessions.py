"""Sessions that the user named for a notebook (`--session 12`, `--session work:12`).

A session's number is unique within one history only. Where two have it, nobody guesses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.errors import InvalidInput, NotFound
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.recovery.evidence import Evidence, FoundRun, Scope
from jupyter_rewind.recovery.sameruns import merge_runs

_PROFILE = "profile_"


def parse_session(text: str) -> tuple[str, int] | None:
    """Profile ("" for none) and number of `12` or `work:12`; None for anything else."""
    profile, _, number = text.strip().rpartition(":")
    return (profile, int(number)) if number.isascii() and number.isdecimal() else None


def named_sessions(evidence: Evidence, scope: Scope) -> Evidence:
    """`evidence` in which the sessions that the user named are the notebook's, and no guesses.

    Raises NotFound where a number is of no session, InvalidInput where it is of two.
    """
    if not scope.sessions:
        return evidence
    runs = merge_runs([each for each in evidence.runs if each.executions])
    chosen: list[FoundRun] = []
    for profile, number in asked_sessions(scope):
        named = [each for each in runs if each.session == number and _fits(each, profile)]
        _refuse(number, profile, named)
        notebook = str(scope.notebook)
        chosen += [replace(each, notebook=notebook, certain=True, asked=True) for each in named]
    taken = {(each.session, each.started_ns) for each in chosen}
    others = (each for each in runs if each.certain)
    kept = [each for each in others if (each.session, each.started_ns) not in taken]
    return replace(evidence, runs=tuple(chosen + kept))


def asked_sessions(scope: Scope) -> list[tuple[str, int]]:
    """Profile ("" for none) and number of each session that was named, each once."""
    plain = Counter(scope.sessions) - Counter(number for _, number in scope.profiles)
    return list(dict.fromkeys([*(("", number) for number in plain), *scope.profiles]))


def _fits(run: FoundRun, wanted: str) -> bool:
    return (
        not wanted or wanted.removeprefix(_PROFILE) == profile_of(run) or wanted == run.trace.place
    )


def profile_of(run: FoundRun) -> str:
    """The profile that the session's history is of, or the history's path."""
    folder = Path(run.trace.place).parent.name
    return folder.removeprefix(_PROFILE) if folder.startswith(_PROFILE) else run.trace.place


def _refuse(number: int, profile: str, named: Sequence[FoundRun]) -> None:
    """Raises where the session that was named is not exactly one."""
    if not named:
        which = f" in the profile {profile}" if profile else ""
        raise NotFound(
            f"There is no session {number}{which} that ran anything. Nothing was changed.",
            hint="`jupyter rewind sessions` lists all, with their first lines.",
        )
    if len(named) > 1:
        alike = len({profile_of(each) for each in named}) < len(named)
        names = [each.trace.place if alike else profile_of(each) for each in named]
        told = "; ".join(
            f"{name}, which begins {_first(each)!r}"
            for name, each in zip(names, named, strict=True)
        )
        raise InvalidInput(
            f"Session {number} is of more than one history: {told}. Nothing was changed.",
            hint=f"Name {'the history' if alike else 'the profile'} too: --session"
            f" {quoted(f'{names[0]}:{number}')}",
        )


def _first(run: FoundRun) -> str:
    lines = (line.strip() for each in run.executions for line in each.source.splitlines())
    return next((line for line in lines if line), "")[:60]
