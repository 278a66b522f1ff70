"""`--session PROFILE:N`: the profile by the name that the answer gives it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_rewind.errors import NotFound
from jupyter_rewind.recovery.evidence import Evidence, Scope, Trace
from jupyter_rewind.recovery.namedsessions import named_sessions
from tests.support.evidence import TARGET, session

WORK = Trace("history", "/home/ann/.ipython/profile_work/history.sqlite", words="IPython")


@pytest.mark.parametrize("profile", ["work", "profile_work", WORK.place])
def test_a_profile_may_be_named_as_it_is_told(profile: str) -> None:
    """The answer says `profile_work`, a list says `work`: both are understood, and the path."""
    ran = (session(1, ["a = 1"]), replace(session(1, ["b = 2"]), trace=WORK))
    home = Path("/home/ann")
    scope = Scope(TARGET, home, home, home, sessions=(1,), profiles=((profile, 1),))
    chosen = named_sessions(Evidence(runs=ran), scope).runs
    assert [each.executions[0].source for each in chosen if each.asked] == ["b = 2"]


def test_a_profile_of_no_such_name_is_told() -> None:
    """Nothing is guessed from a part of a name."""
    home = Path("/home/ann")
    scope = Scope(TARGET, home, home, home, sessions=(1,), profiles=(("wor", 1),))
    with pytest.raises(NotFound, match="no session 1 in the profile wor"):
        named_sessions(Evidence(runs=(replace(session(1, ["b = 2"]), trace=WORK),)), scope)
