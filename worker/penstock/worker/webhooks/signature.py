"""Signatures of deliveries, as Standard Webhooks defines them."""

from __future__ import annotations

__all__ = ["signed_headers"]

import base64
import hashlib
import hmac
from collections.abc import Sequence

from penstock.runtime.types.webhook import secret_bytes


def signed_headers(
    delivery: str, timestamp: int, body: bytes, secrets: Sequence[str]
) -> dict[str, str]:
    """Return the headers of a delivery, signed with each of some secrets; timestamp: seconds."""
    headers = {"webhook-id": delivery, "webhook-timestamp": str(timestamp)}
    signatures = [_signature(f"{delivery}.{timestamp}.".encode() + body, each) for each in secrets]
    return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})


def _signature(content: bytes, secret: str) -> str:
    digest = hmac.new(secret_bytes(secret), content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
