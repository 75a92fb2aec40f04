"""The functions of an Auth: which of them is asked, and what its answer means."""

from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import Any

import langgraph_sdk
import pytest
from starlette.requests import Request

from penstock.gateway import Auth
from penstock.gateway.auth.failures import AuthHandlerError
from penstock.gateway.auth.handlers import Handlers
from penstock.gateway.auth.user import User, read_user
from penstock.gateway.errors import RequestError
from penstock.publisher.errors import ConfigurationError, RedisUnavailableError

ANN = read_user("ann")

KINDS = pytest.mark.parametrize("kind", [Auth, langgraph_sdk.Auth])


def request(**headers: str) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/threads/t",
            "path_params": {"thread_id": "t"},
            "query_string": b"a=1",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )


def auth_of(authenticate: Any = lambda: "ann", kind: Any = Auth) -> Auth:
    auth: Auth = kind()
    auth.authenticate(authenticate)
    return auth


def user_of(authenticate: Any, **headers: str) -> User:
    return asyncio.run(Handlers(auth_of(authenticate)).user(request(**headers)))


def asked(auth: Any, resource: str, action: str, value: Any = None) -> Any:
    return asyncio.run(Handlers(auth).ask(ANN, resource, action, value or {}))


# -- who ------------------------------------------------------------------------------------------


def test_authenticate_is_given_what_it_names() -> None:
    def who(
        path: str,
        method: str,
        path_params: Any,
        query_params: Any,
        headers: Any,
        authorization: str | None,
        *,
        request: Request,
        other: int = 3,
    ) -> Any:
        rest = (path, method, path_params, query_params, headers, authorization, other)
        return {"identity": "ann", "rest": rest, "is": request.url.path}

    found = user_of(who, authorization="Bearer x")

    params = {"thread_id": "t"}
    headers = {b"authorization": b"Bearer x"}
    assert found.rest == ("/threads/t", "GET", params, {"a": "1"}, headers, "Bearer x", 3)
    assert found["is"] == "/threads/t"


def _with_token(token: str) -> str:
    return token


async def _later() -> str:
    return "ann"


@dataclasses.dataclass
class Person:
    identity: str
    permissions: list[str]
    team: str = "x"


class Slim:
    __slots__ = ()
    identity = "ann"
    display_name = "Ann"
    is_authenticated = True
    permissions = ("a",)


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ("ann", {}),
        ({"identity": "ann", "team": "x"}, {"team": "x"}),
        (Person("ann", ["a"]), {"team": "x", "permissions": ["a"]}),
        (Slim(), {"display_name": "Ann", "permissions": ["a"]}),
        (SimpleNamespace(identity="ann", _own=1), {}),
        (read_user({"identity": "ann", "team": "x"}), {"team": "x"}),
    ],
)
def test_a_user_is_a_name_a_mapping_or_an_object(given: Any, more: Any) -> None:
    found = user_of(lambda: given)

    plain: dict[str, Any] = {
        "identity": "ann",
        "display_name": "ann",
        "permissions": [],
        "is_authenticated": True,
    }
    assert dict(found) == plain | more
    assert found.identity == found["identity"] == "ann"
    assert found.configurable()["langgraph_auth_user"] == dict(found)
    with pytest.raises(AttributeError, match="'ann' has no 'other'"):
        _ = found.other


def test_authenticate_may_be_async() -> None:
    assert user_of(_later).identity == "ann"
    assert user_of(lambda: _later()).identity == "ann"


@pytest.mark.parametrize(
    "given",
    [None, "", {}, {"identity": ""}, {"identity": 3}, 7, {"identity": "a", "permissions": "all"}],
)
def test_nobody_is_no_user(given: Any) -> None:
    with pytest.raises(AuthHandlerError):
        user_of(lambda: given)


def test_somebody_who_is_not_authenticated_is_refused() -> None:
    with pytest.raises(RequestError, match="Unauthorized") as caught:
        user_of(lambda: {"identity": "ann", "is_authenticated": False})
    assert caught.value.status == 401


@KINDS
def test_an_exception_refuses_with_its_status_and_headers(kind: Any) -> None:
    def no() -> str:
        raise kind.exceptions.HTTPException(402, "pay", {"X-Why": "money"})

    with pytest.raises(RequestError, match="pay") as caught:
        user_of(no)
    assert (caught.value.status, caught.value.headers) == (402, {"X-Why": "money"})
    assert str(kind.exceptions.HTTPException().detail) == "Unauthorized"


class LooksRight(Exception):
    status_code = 401


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        PermissionError("x"),
        RedisUnavailableError("x"),
        LooksRight(),
        Auth.exceptions.HTTPException(200),
        Auth.exceptions.HTTPException(204),
    ],
)
def test_any_other_exception_is_a_failure(error: Exception) -> None:
    def fails() -> str:
        raise error

    auth = auth_of()

    @auth.on
    async def handler(ctx: Any, value: Any) -> None:
        raise error

    with pytest.raises(AuthHandlerError):
        user_of(fails)
    with pytest.raises(AuthHandlerError):
        asked(auth, "threads", "read")


# -- what -----------------------------------------------------------------------------------------


@KINDS
def test_only_the_most_specific_is_asked(kind: Any) -> None:
    auth, seen = auth_of(kind=kind), list[str]()

    def handler(name: str) -> Any:
        async def handle(ctx: Any, value: Any) -> None:
            assert (ctx.user, ctx.permissions) == (ANN, [])
            seen.append(f"{name} {ctx.resource}.{ctx.action}")

        return handle

    auth.on(handler("all"))
    auth.on.threads(handler("threads"))
    auth.on.threads.create(handler("create"))
    auth.on(resources=["assistants", "crons"], actions="read")(handler("some"))
    auth.on(actions=["search"])(handler("searches"))
    auth.on.store.put(handler("put"))
    auth.on.threads.create_run(handler("run"))
    places = "threads.create threads.read threads.search threads.create_run assistants.read"
    for place in (*places.split(), "assistants.search", "store.put", "store.get"):
        assert asked(auth, *place.split(".")) == {}

    assert seen == [
        "create threads.create",
        "threads threads.read",
        "threads threads.search",
        "run threads.create_run",
        "some assistants.read",
        "searches assistants.search",
        "put store.put",
        "all store.get",
    ]


@pytest.mark.parametrize(("verdict", "own"), [(None, {}), (True, {}), ({"a": "b"}, {"a": "b"})])
def test_an_answer_lets_go_on(verdict: Any, own: Any) -> None:
    auth = auth_of()

    @auth.on
    async def handler(ctx: Any, value: Any) -> Any:
        return verdict

    assert asked(auth, "threads", "read") == own
    assert asked(auth_of(), "threads", "read") == {}


def test_false_refuses() -> None:
    auth = auth_of()

    @auth.on.threads
    async def handler(ctx: Any, value: Any) -> bool:
        return False

    with pytest.raises(RequestError, match=r"^Forbidden$") as caught:
        asked(auth, "threads", "read")
    assert caught.value.status == 403


@pytest.mark.parametrize("verdict", [0, 1, "", "yes", [], (1,), {"a": {"$x": 1}}])
def test_other_answers_are_failures(verdict: Any) -> None:
    auth = auth_of()

    @auth.on
    async def handler(ctx: Any, value: Any) -> Any:
        return verdict

    with pytest.raises(AuthHandlerError):
        asked(auth, "threads", "read")


# -- at the start ---------------------------------------------------------------------------------


def test_what_could_not_be_asked_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="auth is int"):
        Handlers(3)
    with pytest.raises(ConfigurationError, match=r"@auth\.authenticate"):
        Handlers(Auth())
    with pytest.raises(ConfigurationError, match="parameter 'token'"):
        Handlers(auth_of(_with_token))
    unknown = auth_of()

    async def handler(ctx: Any, value: Any) -> None: ...

    unknown.on(resources="runs")(handler)
    with pytest.raises(ConfigurationError, match=r"runs\.\*"):
        Handlers(unknown)
    unknown = auth_of()
    unknown.on(resources="store", actions="create")(handler)
    with pytest.raises(ConfigurationError, match=r"store\.create"):
        Handlers(unknown)


@KINDS
def test_an_auth_has_one_handler_for_each_thing(kind: Any) -> None:
    auth = auth_of(kind=kind)

    async def handler(ctx: Any, value: Any) -> None: ...

    async def narrow(ctx: Any) -> None: ...

    def sync(ctx: Any, value: Any) -> Any: ...

    places = (auth.on, auth.on.threads, auth.on.threads.read, auth.on.store)
    for place in places:
        assert place(handler) is handler
        with pytest.raises(ValueError, match=r"already|one"):
            place(handler)
    with pytest.raises(ValueError, match=r"already|one"):
        auth.authenticate(handler)
    with pytest.raises(ValueError, match="async"):
        auth.on.crons(sync)
    with pytest.raises(ValueError, match="value"):
        auth.on.crons(narrow)
    with pytest.raises(AttributeError):
        _ = auth.on.store.update
