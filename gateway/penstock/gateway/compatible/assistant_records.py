"""Assistants that somebody has made, as plans without IO; and those of entrypoints beside them."""

from __future__ import annotations

__all__ = ["AssistantRecords", "unknown_assistant"]

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from penstock.gateway.auth.filters import Filter
from penstock.gateway.compatible.assistant import Assistant, Settings, system_assistant
from penstock.gateway.compatible.run_view import assistant_of
from penstock.gateway.errors import RequestError
from penstock.gateway.keys import GatewayKeys
from penstock.publisher.codec.codec import Codec
from penstock.publisher.redis.script import Call, load
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.diagnostics.entrypoints import read_entrypoints
from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans

_VERSION: Final = "v:"

_HEAD: Final = ("latest", "created", "updated")


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
        name = yield from self.entrypoint_of(named)
        if name is not None:
            (description,) = yield from read_descriptions(self._plans, [name])
            return system_assistant(description)
        return (yield from self._made(named))

    def entrypoint_of(self, named: str) -> Plan[str | None]:
        """Return the entrypoint that an assistant stands for, by its name or id; None for none."""
        names = yield from read_entrypoints(self._plans)
        return next((name for name in names if named in (name, assistant_of(name))), None)

    def made(self, assistant_id: str) -> Plan[Assistant | None]:
        """Read an assistant that somebody has made; None if nobody has."""
        (found,) = yield from self._read([assistant_id])
        return found

    def all(self) -> Plan[list[Assistant]]:
        """Read all assistants."""
        names = yield from read_entrypoints(self._plans)
        descriptions = yield from read_descriptions(self._plans, names)
        ids = [each.decode() for each in (yield ("ZRANGE", self._keys.assistants(), 0, -1))]
        made = yield from self._read(ids)
        found = [system_assistant(each) for each in descriptions]
        return found + [each for each in made if each is not None]

    def versions(self, assistant: Assistant) -> Plan[list[Assistant]]:
        """Read the versions of an assistant, the newest first."""
        if assistant.is_system:
            return [assistant]
        stored = yield ("HGETALL", self._keys.assistant(assistant.assistant_id))
        found = list[Assistant]()
        for name, text in stored.items():
            if name.startswith(_VERSION.encode()):
                made, settings = self._version(assistant.assistant_id, text)
                number = int(name[len(_VERSION) :])
                found.append(Assistant(assistant.assistant_id, settings, number, made, made))
        return sorted(found, key=lambda each: each.version, reverse=True)

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
        return (yield from self._made(named))

    def choose(self, named: str, version: int) -> Plan[Assistant]:
        """Make a version the one that counts.

        Raises:
            RequestError: there is no such assistant, or version, or it is that of an entrypoint.
        """
        own = yield from self.own(named)
        word, _ = yield from self._keep(own.assistant_id, "choose", str(version), "")
        if word != "OK":
            raise RequestError(404, f"assistant {named!r} has no version {version}.")
        return (yield from self._made(named))

    def delete(self, named: str) -> Plan[None]:
        """Delete an assistant.

        Raises:
            RequestError: there is no such assistant, or it is that of an entrypoint.
        """
        own = yield from self.own(named)
        yield from self._keep(own.assistant_id, "drop", "", "")

    def own(self, named: str, filter: Filter = MappingProxyType({})) -> Plan[Assistant]:
        """Read an assistant that somebody has made, and that a filter admits.

        Raises:
            RequestError: there is no such assistant, or it is that of an entrypoint.
        """
        found = yield from self.made(named)
        if found is not None and found.is_for(filter):
            return found  # perhaps one whose id an entrypoint has got since
        if (name := (yield from self.entrypoint_of(named))) is None:
            raise unknown_assistant(named)
        raise RequestError(
            422,
            f"assistant {named!r} stands for an entrypoint, and stays as it is: make another "
            f"one with graph_id {name!r}.",
        )

    def _made(self, assistant_id: str) -> Plan[Assistant]:
        found = yield from self.made(assistant_id)
        if found is None:
            raise unknown_assistant(assistant_id)
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

    def _read(self, ids: Sequence[str]) -> Plan[list[Assistant | None]]:
        """Read assistants at the versions that count; None where there is none."""
        if not ids:
            return []
        keys = [self._keys.assistant(each) for each in ids]
        heads = yield Reads([("HMGET", key, *_HEAD) for key in keys])
        latest = [(head[0] or b"").decode() for head in heads]
        texts = yield Reads(
            [("HGET", key, f"{_VERSION}{each}") for key, each in zip(keys, latest, strict=True)]
        )
        return [
            None if text is None else self._assistant(name, head, text)
            for name, head, text in zip(ids, heads, texts, strict=True)
        ]

    def _assistant(self, assistant_id: str, head: Sequence[bytes], text: bytes) -> Assistant:
        latest, created, updated = (each.decode() for each in head)
        _, settings = self._version(assistant_id, text)
        return Assistant(assistant_id, settings, int(latest), _moment(created), _moment(updated))

    def _version(self, assistant_id: str, stored: bytes) -> tuple[datetime, Settings]:
        time, _, text = stored.partition(b" ")
        tree: dict[str, Any] = self._at(assistant_id).loads(text)
        return _moment(time.decode()), Settings(**tree)

    def _text(self, assistant_id: str, settings: Settings) -> str:
        return self._at(assistant_id).dumps(settings.view(), f"assistant {assistant_id!r}")

    def _at(self, assistant_id: str) -> Codec:
        return self._plans.codec.at("assistant", assistant_id)


def unknown_assistant(named: str) -> RequestError:
    """Return what a request is refused with that names an assistant which is none."""
    return RequestError(404, f"no assistant {named!r}.")


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
