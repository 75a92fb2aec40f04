"""The names of the keys that the gateway keeps in Redis."""

from __future__ import annotations

__all__ = ["GatewayKeys"]

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayKeys:
    """Key names, one method a name."""

    prefix: str = "penstock"

    def api_keys(self) -> str:
        """Hash of the API keys: id -> name, role, digest of the secret, times, as JSON."""
        return f"{self.prefix}:api_keys"

    def assistants(self) -> str:
        """Sorted set of the ids of assistants that somebody has made, by when (ms)."""
        return f"{self.prefix}:assistants"

    def assistant(self, assistant_id: str) -> str:
        """Hash of an assistant: its versions, and which of them counts."""
        return f"{self.prefix}:assistant:{assistant_id}"

    def tape(self, thread: str) -> str:
        """Sorted set of a thread's runs by their numbers in its v3 stream; TTL: 30 days.

        They count from the last run that began while somebody followed.
        """
        return f"{self.prefix}:tape:{thread}"

    def session_secret(self) -> str:
        """What the sessions of the dashboard are signed with; removing it ends all of them."""
        return f"{self.prefix}:session_secret"
