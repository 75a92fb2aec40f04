"""The legs of runs, and the requests that are kept with them, as plans without IO.

A leg is stored when it begins, and only where a run goes on: the first one is the run itself. Where
a leg ends is known by the next one, or by the state of the run.
"""

from __future__ import annotations

__all__ = ["read_legs", "read_many_legs", "write_request"]

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from penstock.publisher.codec.codec import Codec
from penstock.runtime.redis.plans.requests import (
    Plan,
    ReadingCommand,
    Reads,
    RequestPlans,
    found_fields,
)
from penstock.runtime.redis.run_record import read_run, texts, whole
from penstock.runtime.types.leg import Leg, RunLegs
from penstock.runtime.types.moment import moment_of
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
    record, noted = yield Reads([plans.record(run_id), _noted(plans, run_id)])
    return _legs(run_id, found_fields(run_id, record), noted, plans.codec)


def read_many_legs(plans: RequestPlans, run_ids: Sequence[str]) -> Plan[list[RunLegs]]:
    """Read several runs with their legs, without those that are no longer there."""
    replies = yield Reads(
        [each for run_id in run_ids for each in (plans.record(run_id), _noted(plans, run_id))]
    )
    return [
        _legs(run_id, fields, noted, plans.codec)
        for run_id, record, noted in zip(run_ids, replies[::2], replies[1::2], strict=True)
        if "status" in (fields := whole(run_id, texts(record)))
    ]


def _noted(plans: RequestPlans, run_id: str) -> ReadingCommand:
    """Return the command that reads the legs of a run but for the first one."""
    return ("LRANGE", plans.keys.legs(run_id), 0, -1)


def _legs(run_id: str, fields: Mapping[str, str], noted: Sequence[bytes], codec: Codec) -> RunLegs:
    """Read the legs that a run had as its hash was read; `noted` was read after that."""
    run, place = read_run(run_id, fields, codec), _place(codec, run_id)
    legs = [Leg(run_id, 1, 0, run.created_at, _request(place, fields["request"]))]
    for number, line in enumerate(noted[: int(fields.get("legs", 1)) - 1], 2):
        after, status, began, text = line.decode("utf-8", "surrogatepass").split(" ", 3)
        moment = moment_of(began)
        legs[-1] = replace(legs[-1], end=int(after), left_as=RunStatus(status), left_at=moment)
        legs.append(Leg(run_id, number, int(after), moment, _request(place, text)))
    config = codec.at("run", run_id, "config").loads(fields["config"])
    return RunLegs(run, legs, cast("Mapping[str, Any]", config), fields["durability"])


def _place(codec: Codec, run_id: str) -> Codec:
    return codec.at("run", run_id, "request")


def _request(codec: Codec, text: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", codec.loads(text)) if text else {}
