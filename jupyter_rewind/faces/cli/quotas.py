"""What commands and `doctor` say of a store's quota."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.cli import wording
from jupyter_rewind.faces.cli.answers import Document
from jupyter_rewind.faces.cli.findings import Finding, State

if TYPE_CHECKING:
    from jupyter_rewind.quota import Allowance, Shortening
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.workspace import ExpiryPlan, Workspace

NAME = "quota"


def quota_data(allowance: Allowance | None) -> Document | None:
    """How the store stands to its quota, for programs; None where it has none."""
    if allowance is None:
        return None
    return {
        "limit_bytes": allowance.limit_bytes,
        "used_bytes": allowance.used_bytes,
        "state": str(allowance.room),
    }


def quota_words(allowance: Allowance) -> str:
    """The same for people."""
    used, limit = wording.size(allowance.used_bytes), wording.size(allowance.limit_bytes)
    share = allowance.used_bytes / allowance.limit_bytes
    text = f"{used} of the quota of {limit} are used ({share:.0%})"
    if allowance.room == "within":
        return f"{text}."
    if allowance.room == "near":
        return f"{text}; beyond it the oldest checkpoints and states expire first."
    return f"{text}: the oldest checkpoints and states expire at the next round."


def expire_for_quota(
    workspace: Workspace, policy: ExpiryPlan, *, doing: bool
) -> tuple[Document | None, str]:
    """What expires for the quota besides what `policy` takes: for programs, and in words."""
    from jupyter_rewind.model.ids import EntryId
    from jupyter_rewind.quota import plan_quota, read_allowance, shorten

    allowance = read_allowance(workspace)
    if allowance is None:
        return None, ""
    going = [EntryId(name) for each in policy.histories for name in each.expire]
    plan = plan_quota(workspace, going=() if doing else going)
    done = shorten(workspace, plan) if doing else None
    count = len(plan.names) if done is None else len(done.expired) + done.states
    found = {"expired": count, "freed_bytes": plan.freed_bytes, "enough": plan.is_enough}
    data: Document = {**(quota_data(allowance) or {}), **found}
    return data, _tell(allowance, plan, count, doing=doing)


def _tell(allowance: Allowance, plan: Shortening, count: int, *, doing: bool) -> str:
    if not allowance.excess_bytes:
        return quota_words(allowance)
    used, limit = wording.size(allowance.used_bytes), wording.size(allowance.limit_bytes)
    what = wording.count(count, "more state or checkpoint", "more states and checkpoints")
    verb = "Expired" if doing else "Would expire"
    text = f"The store takes {used}, its quota is {limit}. {verb} {what}, the oldest first"
    if plan.is_enough:
        left = wording.size(max(allowance.used_bytes - plan.freed_bytes, 0))
        return f"{text}; a collect brings it to {left}."
    return f"{text}; the rest stays: the newest of each notebook, and what has a label or a pin."


def check_quota(settings: Rewind) -> Iterator[Finding]:
    """Nothing is said where nobody set a quota."""
    if not settings.store_quota:
        return
    from jupyter_rewind.quota import Room, read_allowance
    from jupyter_rewind.workspace import Workspace

    try:
        with Workspace.open(settings, create=False) as workspace:
            allowance = read_allowance(workspace)
    except RewindError:
        return  # no store yet, or one that `store` above has a problem with
    if allowance is None:
        return
    is_within = allowance.room is Room.WITHIN
    state = State.ON if is_within else State.PROBLEM
    mend = "" if is_within else "jupyter rewind expire --yes && jupyter rewind collect"
    yield Finding(NAME, state, quota_words(allowance).rstrip("."), mend)
