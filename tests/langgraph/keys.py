"""Encryption keys of tests."""

from __future__ import annotations

import base64

ENCRYPTION_KEYS = f"new:{base64.b64encode(b'n' * 32).decode()}"
