"""An Auth of LangGraph's own class, by which each user has threads and items of their own."""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth

auth = Auth()

KEYS = {"key-ann": "ann", "key-bob": "bob"}


@auth.authenticate
async def who(headers: dict[bytes, bytes]) -> str:
    name = KEYS.get(headers.get(b"x-api-key", b"").decode())
    if name is None:
        raise Auth.exceptions.HTTPException(status_code=401, detail="a key is needed")
    return name


@auth.on
async def own(ctx: Any, value: dict[str, Any]) -> dict[str, str]:
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}


@auth.on.assistants
async def made(ctx: Any, value: dict[str, Any]) -> dict[str, str]:
    return {"owner": ctx.user.identity}


@auth.on.store
async def scoped(ctx: Any, value: dict[str, Any]) -> None:
    value["namespace"] = (ctx.user.identity, *value["namespace"])


@auth.on.assistants.delete
async def nobody(ctx: Any, value: Any) -> bool:
    return False


@auth.on.crons
async def fails(ctx: Any, value: dict[str, Any]) -> None:
    raise RuntimeError("no crons")
