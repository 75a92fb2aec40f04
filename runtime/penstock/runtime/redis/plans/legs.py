"""The legs of runs, and the requests that are kept with them, as plans without IO.

A leg is stored when it begins, and only where a run goes on: the first one is the run itself. Where
a leg ends is known by the next one, or by the state of the run.
"""

from __future__ import annotations

__all__ = ["read_legs", "read_many_legs", "write_request"]

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, cast

from penstock.publisher.codec.codec import Codec
from penstock.runtime.redis.plans.creation import checked_run_id
from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.redis.run_record import read_run, texts, whole
from penstock.runtime.types.leg import Leg, RunLegs
from penstock.runtime.types.run import RunStatus

_UNIQUE: Final = "nonce"
"""What sets a request apart from each other one that asks the same."""


def write_request(codec: Codec, run_id: str, request: Mapping[str, Any]) -> str:
    """Write down what is kept of a request, as a text that no other has."""
    unique = {**request, _UNIQUE: uuid.uuid4().hex}
    return _place(codec, run_id).dumps(unique, "what a request asked of a run")


def read_legs(plans: RequestPlans, run_id: str) -> Plan[RunLegs]:
    """Read a run with its legs.

    Raises:
        RunNotFoundError: there is none.
    """
    return _legs(run_id, (yield from plans.fields(run_id)), plans.codec)


def read_many_legs(plans: RequestPlans, run_ids: Sequence[str]) -> Plan[list[RunLegs]]:
    """Read several runs with their legs, without those that are no longer there."""
    keys = [plans.keys.run(checked_run_id(run_id)) for run_id in run_ids]
    replies = yield Reads([("HGETALL", key) for key in keys])
    found = [whole(run_id, texts(reply)) for run_id, reply in zip(run_ids, replies, strict=True)]
    return [
        _legs(run_id, fields, plans.codec)
        for run_id, fields in zip(run_ids, found, strict=True)
        if "status" in fields
    ]


def _legs(run_id: str, fields: Mapping[str, str], codec: Codec) -> RunLegs:
    run, place = read_run(run_id, fields, codec), _place(codec, run_id)
    legs = [Leg(run_id, 1, 0, run.created_at, _request(place, fields["request"]))]
    for number in range(2, int(fields.get("legs", 1)) + 1):
        after, status, began, text = fields[f"leg:{number}"].split(" ", 3)
        moment = datetime.fromtimestamp(int(began) / 1000, UTC)
        legs[-1] = replace(legs[-1], end=int(after), left_as=RunStatus(status), left_at=moment)
        legs.append(Leg(run_id, number, int(after), moment, _request(place, text)))
    config = codec.at("run", run_id, "config").loads(fields["config"])
    return RunLegs(run, legs, cast("Mapping[str, Any]", config), fields["durability"])


def _place(codec: Codec, run_id: str) -> Codec:
    return codec.at("run", run_id, "request")


def _request(codec: Codec, text: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", codec.loads(text)) if text else {}
