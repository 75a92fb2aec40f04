"""The config of a leg: the user in it is who answers a run or lets it go on."""

from __future__ import annotations

__all__ = ["config_of_leg"]

from collections.abc import Mapping
from typing import Any

from penstock.gateway.auth.user import is_of_user, with_user
from penstock.gateway.compatible.legs import FoundLeg
from penstock.runtime.types.run import RunStatus


def config_of_leg(found: FoundLeg, user: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the config that a run goes on with, for who asks now; None for that which it has.

    A run that goes on already, with the same user, does so with what was known of this user then.
    """
    config = with_user(found.legs.config, user)
    is_waiting = found.run.status not in (RunStatus.QUEUED, RunStatus.RUNNING)
    return config if is_waiting or not is_of_user(found.legs.config, user) else None
