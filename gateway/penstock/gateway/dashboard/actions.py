"""What can be done with a run: by whom, and when; the reason if not now."""

from __future__ import annotations

__all__ = ["AGAIN", "NEEDS", "Action", "actions_of", "refusal_of"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock.gateway.auth.identity import Identity
from penstock.gateway.auth.role import Role
from penstock.runtime.types.bulk import BULK
from penstock.runtime.types.run import OPEN, Run, RunStatus

NEEDS: Final[Mapping[str, Role]] = {
    "cancel": Role.CLIENT,
    "answer": Role.CLIENT,
    "resume": Role.OPERATOR,
    "rerun": Role.OPERATOR,
    "fork": Role.OPERATOR,
}
"""The role that an action needs: the same as over the API."""

AGAIN: Final = ("resume", "rerun", "fork")
"""Actions that execute a run again."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button, and why it cannot be used; empty if it can."""

    name: str
    refusal: str


def needs_of(action: str, run: Run) -> Role:
    """Return the role that an action on a run needs; some change many runs when executed again."""
    return Role.ADMIN if run.entrypoint == BULK and action in AGAIN else NEEDS[action]


def refusal_of(identity: Identity | None, needs: Role) -> str:
    """Say why somebody may not do what needs a role; empty if they may."""
    if identity is not None and identity.role.may(needs):
        return ""
    role = "nobody" if identity is None else identity.role.article
    return f"you are {role}: this needs the role {needs}"


def actions_of(run: Run, identity: Identity | None) -> dict[str, Action]:
    """Return the actions on a run, by name."""
    is_failed, is_open = run.status is RunStatus.FAILED, run.status in OPEN
    not_now = {
        "cancel": "" if is_open else f"it is {run.status}",
        "answer": "" if run.asks or run.status is RunStatus.RUNNING else "it asks nothing",
        "resume": "" if is_failed else "only a failed run can be resumed",
        "rerun": "",
        "fork": "it is still open: a fork needs its thread" if is_open else "",
    }
    return {
        name: Action(name, refusal_of(identity, needs_of(name, run)) or reason)
        for name, reason in not_now.items()
    }
