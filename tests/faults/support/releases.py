"""What a release has left in Redis: `python -m tests.faults.support.releases <file>` records it.

A file holds all keys of a server with runs in each state, as this version writes them. It is made
anew until the release is out, and never after, so that later versions are held to reading it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import redis

from penstock.runtime import Client
from penstock.runtime.types.run import RunStatus
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer
from tests.support.until import reaches

FOLDER: Final = Path(__file__).parents[1] / "releases"
TRACEBACK: Final = re.compile(r'"traceback":"(?:[^"\\]|\\.)*"')
"""Names places of the machine that a file was made on."""

ORDER: Final = {"number": 7, "placed": "2026-11-23T12:00:00Z", "tags": ["a", "b"]}


def record(file: Path) -> None:
    """Let runs come to each state, and write all keys to a file."""
    warnings.filterwarnings("ignore", "no live worker has announced")
    with RedisServer() as server, tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(server.url, Path(folder))
        try:
            with Client(server.url) as client:
                _fill(fleet, client)
            file.write_text(json.dumps(_capture(server.client()), indent=1, sort_keys=True) + "\n")
        finally:
            fleet.close()


def _fill(fleet: Fleet, client: Client) -> None:
    worker = fleet.start(app=str(FOLDER / "flows_0_1.py"))
    asked = client.enqueue("buy", ORDER, run_id="asked", thread_id="customer")
    done = client.enqueue("deliver", 3, run_id="done")
    failed = client.enqueue("fail", None, run_id="failed")
    for run in (asked, done, failed):
        reaches(run, RunStatus.SUSPENDED, RunStatus.COMPLETED, RunStatus.FAILED)
    worker.term()
    worker.wait()
    client.enqueue("deliver", 5, run_id="queued")
    client.enqueue("buy", ORDER, run_id="first", thread_id="other")
    client.enqueue("buy", ORDER, run_id="behind", thread_id="other")


def _capture(client: redis.Redis) -> dict[str, Any]:
    keys: Any = client.keys("*")
    return {
        _text(key): {"ttl": client.pttl(key), **_value(client, key)}
        for key in sorted(keys)
        if not key.startswith((b"rq:worker", b"penstock:taken"))
    }


def _value(client: redis.Redis, key: bytes) -> dict[str, Any]:
    kind, name = _text(client.type(key)), _text(key)
    reply: Any
    match kind:
        case "hash":
            reply = client.hgetall(name)
            return {"hash": {_text(field): _text(value) for field, value in reply.items()}}
        case "string":
            reply = client.get(name)
            return {"string": _text(reply)}
        case "list":
            reply = client.lrange(name, 0, -1)
            return {"list": [_text(item) for item in reply]}
        case "set":
            reply = client.smembers(name)
            return {"set": sorted(_text(item) for item in reply)}
        case "zset":
            reply = client.zrange(name, 0, -1, withscores=True)
            return {"zset": {_text(member): score for member, score in reply}}
        case "stream":
            reply = client.xrange(name)
            return {
                "stream": [
                    [_text(entry), {_text(field): _text(value) for field, value in fields.items()}]
                    for entry, fields in reply
                ]
            }
        case _:
            raise ValueError(f"{name} is a {kind}")


def restore(client: redis.Redis, file: Path) -> None:
    """Write the keys of a file to a server; what had a TTL has an hour."""
    for key, told in json.loads(file.read_text()).items():
        _write(client, key, told)
        if told["ttl"] != -1:
            client.expire(key, 3600)


def _write(client: redis.Redis, key: str, told: Mapping[str, Any]) -> None:
    if "hash" in told:
        client.hset(key, mapping=told["hash"])
    elif "string" in told:
        client.set(key, told["string"])
    elif "list" in told:
        client.rpush(key, *told["list"])
    elif "set" in told:
        client.sadd(key, *told["set"])
    elif "zset" in told:
        client.zadd(key, told["zset"])
    else:
        for entry, fields in told["stream"]:
            client.xadd(key, fields, id=entry)


def _text(value: Any) -> str:
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return TRACEBACK.sub('"traceback":""', text)


if __name__ == "__main__":
    record(Path(sys.argv[1]))
