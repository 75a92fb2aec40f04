"""A workflow that does with a secret all that a workflow can do with a value."""

from __future__ import annotations

from typing import Any

from penstock.runtime import (
    CachePolicy,
    InMemoryStore,
    RedisCache,
    RedisStore,
    entrypoint,
    get_runtime,
    get_store,
    get_stream_writer,
    interrupt,
    task,
)

SECRET = "codeword-swordfish"
tries: list[str] = []


@task
def whisper(secret: str) -> dict[str, str]:
    get_stream_writer()(f"custom {secret}")
    get_stream_writer().message(f"message {secret}", id=secret[:4])
    return {"whispered": secret}


@task
def stumble(secret: str) -> None:
    raise ValueError(f"stumbled over {secret}")


@task(retry_policy=2)
def waver(secret: str) -> str:
    tries.append(secret)
    if len(tries) % 2:
        raise ConnectionError(f"wavered at {secret}")
    return secret


@task(cache_policy=CachePolicy(ttl=60))
def remember(secret: str) -> str:
    return f"remembered {secret}"


@task
def ask(secret: str) -> Any:
    return interrupt({"question": secret})


def tell(secret: str, previous: Any) -> dict[str, Any]:
    """The body of all of them; `secret` is in every value it makes."""
    whisper(secret).result()
    try:
        stumble(secret).result()
    except ValueError:
        pass
    waver(secret).result()
    remember(secret).result()
    get_store().put(("secrets",), "one", {"kept": secret})
    (found,) = get_store().search(("secrets",), filter={"kept": secret})
    answers = [ask(secret).result(), interrupt(f"and {secret}?")]
    return {
        "answers": answers,
        "context": get_runtime().context,
        "found": found.value,
        "previous": previous,
        "told": secret,
    }


@entrypoint(store=RedisStore(), cache=RedisCache())
def secretive(secret: str, *, previous: Any = None) -> entrypoint.final[dict[str, Any], str]:
    return entrypoint.final(value=tell(secret, previous), save=f"saved {secret}")


@entrypoint(store=InMemoryStore())
def doomed(secret: str) -> None:
    whisper(secret).result()
    raise LookupError(f"nobody knows {secret}")


@task
def double(x: int) -> int:
    return 2 * x


@task
def pause(x: int) -> int:
    interrupt("go on?")
    return x


@entrypoint()
def slow(x: int) -> int:
    first = double(x).result()
    pause(first).result()
    return first + double(x + 1).result()
