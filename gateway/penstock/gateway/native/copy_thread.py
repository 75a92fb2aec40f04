"""Copies a thread for a user, to whom the copy belongs."""

from __future__ import annotations

__all__ = ["copy_own"]

from typing import Any

from penstock.gateway.call import Call
from penstock.gateway.compatible.access import is_known, metadata_of_new, thread_taken
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.runtime.errors import ConfigurationError, ThreadNotFoundError


async def copy_own(call: Call[Any, Any], source: str, target: str) -> None:
    """Copy a thread with its history and its metadata.

    Raises:
        RequestError: the Auth object refuses a new thread.
        ThreadNotFoundError: there is no such thread.
        ThreadExistsError: there is a thread of the new name.
    """
    reader = ThreadReader(call.client)
    record = await reader.record(source)
    metadata = await metadata_of_new(call, target, record.metadata)
    if await is_known(call.client, target):
        raise thread_taken(target)
    await call.client.do(reader.records.create(target, metadata, ttl=record.ttl))
    try:
        await call.client.thread(source).copy(target)
    except ThreadNotFoundError:  # nothing ever ran on it
        pass
    except ConfigurationError:  # something ran on the new one meanwhile
        raise
    except Exception:
        await call.client.thread(target).delete()
        raise
