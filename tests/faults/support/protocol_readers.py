"""Readers of threads that speak the thread protocol: after each cut they come back elsewhere."""

from __future__ import annotations

import json
from typing import Any, Final

import httpx

from tests.faults.support.gateways import Gateway
from tests.faults.support.leg_readers import LegReader

_ENDS: Final = ("completed", "failed", "interrupted")


class ProtocolReader(LegReader):
    """Follows a thread to the end of its run; `parts` has the seq, the method and the event."""

    def __init__(
        self, gateways: list[Gateway], thread_id: str, channels: list[str], first: int = 0
    ) -> None:
        super().__init__(gateways, f"/threads/{thread_id}/stream/events", channels, first)

    def _read(self, http: httpx.Client) -> bool:
        """Read until the run has ended, which is true, or the stream is cut."""
        gateway = self._gateways[next(self._turns) % len(self._gateways)]
        since = {"since": int(self.parts[-1][0])} if self.parts else {}
        body: dict[str, Any] = {"channels": self._modes, **since}
        try:
            with http.stream("POST", gateway.url + self._path, json=body) as answer:
                if answer.status_code == 503:
                    return False
                assert answer.status_code == 200, answer.read()
                return self._followed(answer)
        except httpx.TransportError:
            self.cuts += 1
            return False

    def _followed(self, answer: httpx.Response) -> bool:
        for line in answer.iter_lines():
            if self._left.is_set():
                return True
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                params = event["params"]
                self.parts.append((str(event["seq"]), event["method"], event))
                if event["method"] == "lifecycle" and not params["namespace"]:
                    if params["data"]["event"] in _ENDS:
                        return True
        raise AssertionError("the stream of a thread ended")
