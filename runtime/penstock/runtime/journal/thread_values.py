"""The values that a thread keeps between its runs, as texts that only this thread can use."""

from __future__ import annotations

__all__ = ["Kept"]

from typing import Any

from penstock.publisher.codec.codec import Codec

PARTS = ("saved", "value")
"""What a checkpoint has of its own: what is saved, and the result where that is another."""


class Kept:
    """The codec of one thread: its results, what they saved, and the caller's metadata."""

    def __init__(self, codec: Codec, thread_id: str) -> None:
        self._codec = codec.at("thread", thread_id)
        self._plain = codec.plain

    def write(self, value: Any, save: Any, what: str) -> dict[str, str]:
        """Write a result and what is saved with it; the result only where that is another.

        Raises:
            CodecError: one of them cannot be written; names `what`.
        """
        texts = {"saved": self._codec.at("saved").dumps(save, f"saved value of {what}")}
        if save is not value:
            texts["value"] = self._codec.at("value").dumps(value, f"result of {what}")
        return texts

    def saved(self, saved: bytes) -> Any:
        """Read what is saved, None if nothing is."""
        return self._codec.at("saved").loads(saved) if saved else None

    def text(self, saved: bytes, value: bytes) -> str:
        """Return the result as the text inside, "null" if there is none."""
        if not saved:
            return "null"
        name, sealed = ("value", value) if value else ("saved", saved)
        return self._codec.at(name).opened(sealed)

    def value(self, saved: bytes, value: bytes) -> Any:
        """Read the result, None if there is none."""
        return self._plain.loads(self.text(saved, value))

    def metadata_text(self, metadata: bytes | str) -> str:
        """Return metadata as the text inside, "" if there is none."""
        return self._codec.at("metadata").opened(metadata) if metadata else ""

    def metadata(self, metadata: bytes | str) -> dict[str, Any]:
        """Read metadata."""
        found: dict[str, Any] = self._plain.loads(self.metadata_text(metadata) or "{}")
        return found

    def write_metadata(self, metadata: Any) -> str:
        """Write metadata, "" for none."""
        if not metadata:
            return ""
        return self._codec.at("metadata").dumps(dict(metadata), "metadata of the config")

    def moved(self, text: bytes | str, source: Kept, *place: str) -> str:
        """Write again for this thread what is kept of another in the same place of it."""
        return self._codec.at(*place).seal(source._codec.at(*place).opened(text)) if text else ""
