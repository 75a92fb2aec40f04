"""The limits: what redis-py itself reaches with the requests that cannot be spared."""

from __future__ import annotations

import time

from benchmarks.processes import Client

__all__ = ["EVENT", "PIPELINE", "RoundTrip", "publish_all"]

EVENT = b'{"mode":"custom","data":{"token":"hello world","i":1,"done":false},"time":1763900000.123}'
PIPELINE = 100

_SCRIPT = """
redis.call('RPUSH', KEYS[1], ARGV[2])
redis.call('PUBLISH', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return 1
"""


class RoundTrip:
    """One EVALSHA that does RPUSH, PUBLISH and HSET: the least that a durable step can cost."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sha = client.script_load(_SCRIPT)

    def seconds(self, count: int) -> float:
        """Seconds for each of a number of round trips, one after the other."""
        self._client.delete("bare:list", "bare:hash")
        call, sha = self._client.evalsha, self._sha
        began = time.perf_counter()
        for number in range(count):
            call(sha, 3, "bare:list", "bare:channel", "bare:hash", f"one:{number}", EVENT)
        return (time.perf_counter() - began) / count


def publish_all(client: Client, channel: str, count: int) -> None:
    """Publish a number of events in pipelines of a hundred."""
    for first in range(0, count, PIPELINE):
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(min(PIPELINE, count - first)):
                pipeline.publish(channel, EVENT)
            pipeline.execute()
