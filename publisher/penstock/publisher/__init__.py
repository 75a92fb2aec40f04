"""Events of runs: publish them and follow them. How runs are executed is not known here."""

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import EncryptedCodec
from penstock.publisher.errors import (
    CodecError,
    ConfigurationError,
    CursorExpiredError,
    EncryptionError,
    InvalidCursorError,
    NotStoredError,
    PenstockError,
    RedisUnavailableError,
)
from penstock.publisher.event import TERMINAL, Event
from penstock.publisher.fold import fold
from penstock.publisher.hub import Hub, asubscribe
from penstock.publisher.publish import AsyncPublisher, Publisher
from penstock.publisher.sse import astream_sse, stream_sse
from penstock.publisher.subscribe import subscribe

__all__ = [
    "TERMINAL",
    "AsyncPublisher",
    "Codec",
    "CodecError",
    "ConfigurationError",
    "CursorExpiredError",
    "EncryptedCodec",
    "EncryptionError",
    "Event",
    "Hub",
    "InvalidCursorError",
    "NotStoredError",
    "PenstockError",
    "Publisher",
    "RedisUnavailableError",
    "astream_sse",
    "asubscribe",
    "fold",
    "stream_sse",
    "subscribe",
]
