"""Assistants that somebody has made, as plans without IO; and those of entrypoints beside them."""

from __future__ import annotations

__all__ = ["AssistantRecords"]

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, cast

from penstock.gateway.compatible.assistant import Assistant, Settings, system_assistant
from penstock.gateway.errors import RequestError
from penstock.gateway.keys import GatewayKeys
from penstock.publisher.codec.codec import Codec
from penstock.publisher.redis.script import Call, load
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.diagnostics.entrypoints import read_entrypoints
from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.redis.run_record import texts

_VERSION = "v:"


class AssistantRecords:
    """The plans for one Redis."""

    def __init__(self, plans: RequestPlans) -> None:
        self._plans = plans
        self._keys = GatewayKeys(plans.keys.prefix)

    def find(self, named: str) -> Plan[Assistant]:
        """Read an assistant by its id, or the one that stands for an entrypoint, by its name.

        Raises:
            RequestError: there is none.
        """
        names = yield from read_entrypoints(self._plans)
        for told in (yield from read_descriptions(self._plans, names)):
            found = system_assistant(told)
            if named in (told.name, found.assistant_id):
                return found
        made = yield from self.made(named)
        if made is None:
            raise RequestError(404, f"no assistant {named!r}.")
        return made

    def made(self, assistant_id: str) -> Plan[Assistant | None]:
        """Read an assistant that somebody has made; None if nobody has."""
        reply = yield ("HGETALL", self._keys.assistant(assistant_id))
        return self._read(assistant_id, texts(reply)) if reply else None

    def all(self) -> Plan[list[Assistant]]:
        """Read all assistants."""
        names = yield from read_entrypoints(self._plans)
        told = yield from read_descriptions(self._plans, names)
        found = [system_assistant(each) for each in told]
        ids = [each.decode() for each in (yield ("ZRANGE", self._keys.assistants(), 0, -1))]
        if not ids:
            return found
        replies = yield Reads([("HGETALL", self._keys.assistant(each)) for each in ids])
        made = zip(ids, replies, strict=True)
        return found + [self._read(name, texts(reply)) for name, reply in made if reply]

    def versions(self, assistant: Assistant) -> Plan[list[Assistant]]:
        """Read the versions of an assistant, the newest first."""
        if assistant.is_system:
            return [assistant]
        fields = texts((yield ("HGETALL", self._keys.assistant(assistant.assistant_id))))
        numbers = sorted(
            (int(name[len(_VERSION) :]) for name in fields if name.startswith(_VERSION)),
            reverse=True,
        )
        found = list[Assistant]()
        for number in numbers:
            made, settings = self._version(assistant.assistant_id, fields, number)
            found.append(Assistant(assistant.assistant_id, settings, number, made, made))
        return found

    def create(self, assistant_id: str, settings: Settings) -> Plan[bool]:
        """Make an assistant; tells whether there was none of this id."""
        text = self._text(assistant_id, settings)
        word, _ = yield from self._keep(assistant_id, "new", "", text)
        return word == "OK"

    def change(self, named: str, changed: Callable[[Settings], Settings]) -> Plan[Assistant]:
        """Give an assistant one more version.

        Raises:
            RequestError: there is no such assistant, or it is that of an entrypoint.
        """
        word, nonce = "MOVED", uuid.uuid4().hex
        while word == "MOVED":  # it has got another version since it was read
            own = yield from self.own(named)
            text = self._text(own.assistant_id, changed(own.settings))
            kept = self._keep(own.assistant_id, "next", str(own.version), text, nonce)
            word, _ = yield from kept
        return (yield from self.find(named))

    def choose(self, named: str, version: int) -> Plan[Assistant]:
        """Make a version the one that counts.

        Raises:
            RequestError: there is no such assistant, or version, or it is that of an entrypoint.
        """
        own = yield from self.own(named)
        word, _ = yield from self._keep(own.assistant_id, "choose", str(version), "")
        if word != "OK":
            raise RequestError(404, f"assistant {named!r} has no version {version}.")
        return (yield from self.find(named))

    def delete(self, named: str) -> Plan[None]:
        """Delete an assistant.

        Raises:
            RequestError: there is no such assistant, or it is that of an entrypoint.
        """
        own = yield from self.own(named)
        yield from self._keep(own.assistant_id, "drop", "", "")

    def own(self, named: str) -> Plan[Assistant]:
        """Read an assistant that somebody has made.

        Raises:
            RequestError: there is no such assistant, or it is that of an entrypoint.
        """
        found = yield from self.find(named)
        if found.is_system:
            raise RequestError(
                422,
                f"assistant {named!r} stands for an entrypoint, and stays as it is: make another "
                f"one with graph_id {found.settings.graph_id!r}.",
            )
        return found

    def _keep(
        self,
        assistant_id: str,
        wanted: Literal["new", "next", "choose", "drop"],
        version: str,
        text: str,
        nonce: str = "",
    ) -> Plan[tuple[str, str]]:
        script = load("penstock.gateway.compatible.scripts", "keep_assistant")
        prefix, nonce = self._keys.prefix, nonce or uuid.uuid4().hex
        reply = yield Call(script, (), (prefix, assistant_id, nonce, wanted, version, text))
        word, now = cast("Sequence[bytes]", reply)
        return word.decode(), now.decode()

    def _read(self, assistant_id: str, fields: Mapping[str, str]) -> Assistant:
        version = int(fields["latest"])
        _, settings = self._version(assistant_id, fields, version)
        created, updated = _moment(fields["created"]), _moment(fields["updated"])
        return Assistant(assistant_id, settings, version, created, updated)

    def _version(
        self, assistant_id: str, fields: Mapping[str, str], number: int
    ) -> tuple[datetime, Settings]:
        time, _, text = fields[f"{_VERSION}{number}"].partition(" ")
        tree: dict[str, Any] = self._at(assistant_id).loads(text)
        return _moment(time), Settings(**tree)

    def _text(self, assistant_id: str, settings: Settings) -> str:
        tree = dataclasses.asdict(settings)
        return self._at(assistant_id).dumps(tree, f"assistant {assistant_id!r}")

    def _at(self, assistant_id: str) -> Codec:
        return self._plans.codec.at("assistant", assistant_id)


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
