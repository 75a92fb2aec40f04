from __future__ import annotations

import asyncio
import json
import pickle
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

import httpx
import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.description import BASES
from penstock.publisher.codec.failure import dump_error, load_error
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.errors import CodecError, NotStoredError, RemoteError

registry = TypeRegistry()
codec = Codec(registry=registry)


@registry.add
class Reason(Enum):
    BUSY = 1


class PaymentError(Exception):
    made = 0

    def __init__(self, order: int, *, reason: Reason) -> None:
        type(self).made += 1
        super().__init__(f"order {order} was not paid")
        self.order = order
        self.reason = reason


class FileLostError(OSError):
    def __init__(self, shelf: str) -> None:
        super().__init__(2, "lost", "file.txt")
        self.shelf = shelf


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class ManyErrors(ExceptionGroup[Exception]):
    pass


class GrumpyError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class LockedError(Exception):
    def __init__(self, lock: Any) -> None:
        super().__init__("locked by", lock)
        self.lock = lock
        self.tries = 3


def through_redis(error: BaseException) -> BaseException:
    return load_error(codec.loads(codec.dumps(dump_error(error, codec))))


def members_of(error: BaseException) -> tuple[Exception, ...]:
    return cast("ExceptionGroup[Exception]", error).exceptions


def raised_by(action: Callable[[], object]) -> BaseException:
    try:
        action()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


NOTHING: Any = {}
BUILTIN: list[Callable[[], object]] = [
    lambda: int("x"),
    lambda: NOTHING["missing"],
    lambda: [1][1],
    lambda: 1 // 0,
    lambda: open("/no/such/file"),
    lambda: "\ud800".encode(),
    lambda: b"\xff".decode(),
    lambda: compile("a b", "f.py", "exec"),
    lambda: __import__("no_such_module"),
    lambda: next(iter(())),
    lambda: NOTHING.missing,
    lambda: exec("missing"),
]


@pytest.mark.parametrize("action", BUILTIN)
def test_builtin_errors_come_back_as_they_were(action: Callable[[], object]) -> None:
    error = raised_by(action)

    found = through_redis(error)

    assert type(found) is type(error)
    assert found.args == error.args
    assert str(found) == str(error)
    for name in ("errno", "filename", "name", "path", "msg", "lineno", "start", "object", "value"):
        assert getattr(found, name, None) == getattr(error, name, None)


def test_an_error_with_a_constructor_of_its_own_comes_back_without_calling_it() -> None:
    error = PaymentError(7, reason=Reason.BUSY)
    made = PaymentError.made

    found = through_redis(error)

    assert isinstance(found, PaymentError)
    assert (str(found), found.order, found.reason) == ("order 7 was not paid", 7, Reason.BUSY)
    assert PaymentError.made == made


def test_an_os_error_keeps_its_number_file_and_attributes() -> None:
    found = through_redis(FileLostError("left"))

    assert isinstance(found, FileLostError)
    assert (found.errno, found.filename, found.shelf) == (2, "file.txt", "left")
    assert str(found) == str(FileLostError("left"))


def test_a_frozen_error_comes_back_with_its_cause_and_notes() -> None:
    error = FrozenError(3)
    BaseException.__setattr__(error, "__cause__", ValueError("why"))
    error.__dict__["__notes__"] = ["note"]

    found = through_redis(error)

    assert isinstance(found, FrozenError)
    assert found == error
    assert repr(found.__cause__) == "ValueError('why')"
    assert found.__notes__ == ["note"]


class Order(pydantic.BaseModel):
    count: int
    name: str = pydantic.Field(max_length=3)
    price: float = 0.0

    @pydantic.field_validator("price")
    @classmethod
    def _checked(cls, price: float) -> float:
        if price < 0:
            raise ValueError("prices {are} not negative")
        if price > 100:
            raise PydanticCustomError("too_dear", "{price} is too dear", {"price": price})
        return price


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"count": "x", "name": "abcd"},
        {"count": 1, "name": "a", "price": -1},
        {"count": 1, "name": "a", "price": 101},
        {"count": threading.Lock(), "name": "a"},
    ],
    ids=["missing", "several", "own validator", "own type", "input without a stored form"],
)
def test_what_pydantic_refused_comes_back_as_its_own_error(given: Any) -> None:
    error = raised_by(lambda: Order.model_validate(given))
    error.add_note("note")

    found = through_redis(error)

    assert isinstance(error, pydantic.ValidationError)
    assert isinstance(found, pydantic.ValidationError)
    assert found.__notes__ == ["note"]
    assert found.title == "Order"
    told = [[each["type"], each["loc"], each["msg"]] for each in error.errors()]
    assert [[each["type"], each["loc"], each["msg"]] for each in found.errors()] == told
    if not isinstance(given.get("count"), type(threading.Lock())):
        assert [each["input"] for each in found.errors()] == [
            each["input"] for each in error.errors()
        ]


def test_what_pydantic_refused_too_often_to_be_kept_comes_back_with_its_message() -> None:
    many = [{"count": "x" * 4000} for _ in range(60)]
    error = raised_by(lambda: pydantic.TypeAdapter(list[Order]).validate_python(many))

    found = through_redis(error)

    assert isinstance(found, pydantic.ValidationError)
    assert "120 validation errors" in str(found)


def test_notes_causes_and_contexts_come_back() -> None:
    def fail() -> None:
        try:
            try:
                raise KeyError("first")
            except KeyError:
                raise ValueError("second")  # noqa: B904 (the context is what is tested)
        except ValueError as error:
            third = TypeError("third")
            third.add_note("see the manual")
            raise third from error

    found = through_redis(raised_by(fail))

    assert repr(found) == "TypeError('third')"
    assert found.__notes__ == ["see the manual"]
    assert found.__suppress_context__
    assert repr(found.__cause__) == "ValueError('second')"
    assert found.__cause__ is not None
    assert repr(found.__cause__.__context__) == "KeyError('first')"


def test_an_error_that_was_raised_from_nothing_still_hides_what_it_is_raised_beside() -> None:
    def fail() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second") from None

    error = raised_by(fail)
    remote = load_error(dump_error(error, Codec()) | {"type": "shop.GoneError"})

    for found in (through_redis(error), through_redis(through_redis(error)), remote):
        assert found.__suppress_context__ and found.__context__ is None is found.__cause__
    assert not through_redis(ValueError()).__suppress_context__


def test_a_group_comes_back_as_its_members() -> None:
    inner = ExceptionGroup("inner", [PaymentError(1, reason=Reason.BUSY)])
    found = through_redis(ManyErrors("outer", [ValueError("a"), inner]))

    assert isinstance(found, ManyErrors)
    assert found.message == "outer"
    assert repr(found.exceptions[0]) == "ValueError('a')"
    assert found.subgroup(PaymentError) is not None


def test_a_group_with_an_interrupt_comes_back_as_a_group_of_harmless_members() -> None:
    found = through_redis(BaseExceptionGroup("both", [KeyboardInterrupt(), ValueError("a")]))

    assert type(found) is ExceptionGroup
    assert [type(member) for member in members_of(found)] == [RemoteError, ValueError]


def test_a_large_group_keeps_as_many_members_as_there_is_room_for() -> None:
    found = through_redis(ExceptionGroup("many", [ValueError(n) for n in range(500)]))

    assert len(members_of(found)) == 49
    assert found.__notes__ == ["451 more exceptions were not kept"]


def test_arguments_that_cannot_be_written_are_kept_as_text_and_such_attributes_are_missed() -> None:
    lock = threading.Lock()

    found = through_redis(LockedError(lock))

    assert isinstance(found, LockedError)
    assert found.args == ("locked by", str(lock))
    assert found.tries == 3
    for touch in (
        lambda: found.lock,
        lambda: hasattr(found, "lock"),
        lambda: getattr(found, "lock", None),
    ):
        with pytest.raises(
            NotStoredError, match=r"attribute .lock. of .*LockedError.*_thread\.lock"
        ):
            touch()
    assert not isinstance(raised_by(lambda: found.lock), AttributeError)


def test_an_error_that_has_all_its_attributes_is_as_ever_beside_one_that_has_not() -> None:
    found, whole, bare = (
        through_redis(LockedError(threading.Lock())),
        LockedError(1),
        LockedError(2),
    )
    del bare.lock

    assert isinstance(found, LockedError) and type(found) is type(whole)
    assert (whole.lock, getattr(bare, "lock", "none")) == (1, "none")
    found.lock = 5
    assert found.lock == 5
    with pytest.raises(AttributeError, match="no attribute 'lock'"):
        _ = bare.lock


def test_what_was_missing_is_still_missing_when_the_error_is_kept_once_more() -> None:
    found: Any = through_redis(through_redis(LockedError(threading.Lock())))

    with pytest.raises(NotStoredError, match=r"_thread\.lock has no stored form"):
        _ = found.lock


class ClientError(Exception):
    """As those of HTTP libraries: with a default in the class, and a property over an attribute."""

    response: Any = None
    _request: Any

    def __init__(self, response: Any, request: Any) -> None:
        super().__init__("failed")
        if response is not None:
            self.response = response
        self._request = request

    @property
    def request(self) -> Any:
        if self._request is None:
            raise RuntimeError("there was no request")
        return self._request


def test_neither_a_default_of_the_class_nor_a_property_hides_what_is_missing() -> None:
    found: Any = through_redis(ClientError(threading.Lock(), threading.Lock()))
    none: Any = through_redis(ClientError(None, "GET /"))

    for name in ("response", "request"):
        with pytest.raises(NotStoredError):
            getattr(found, name, None)
    assert (none.response, none.request, ClientError.response) == (None, "GET /", None)


class Code(Enum):
    GONE = 410


class Detail(pydantic.BaseModel):
    code: Code


class Headers:
    def __init__(self, **lines: str) -> None:
        self.lines = lines

    def __getitem__(self, name: str) -> str:
        return self.lines[name]


class Response:
    __slots__ = ("__dict__", "status_code")

    def __init__(self, status_code: int, **more: Any) -> None:
        self.status_code = status_code
        self.__dict__.update(more)

    @property
    def is_error(self) -> bool:
        return self.status_code >= 400


def test_an_error_keeps_what_it_carries_with_its_types() -> None:
    inner = PaymentError(7, reason=Reason.BUSY)
    error: Any = ValueError("x", Detail(code=Code.GONE), inner)
    error.code, error.details = Code.GONE, {"first": [Detail(code=Code.GONE)]}
    error.inner, error.several = inner, (inner, KeyError("k"))

    found: Any = through_redis(error)

    assert found.args[1] == Detail(code=Code.GONE) and type(found.args[2]) is PaymentError
    assert found.code is Code.GONE
    assert found.details == {"first": [Detail(code=Code.GONE)]}
    assert (type(found.inner), found.inner.reason) == (PaymentError, Reason.BUSY)
    assert [type(each) for each in found.several] == [PaymentError, KeyError]


def test_an_object_of_a_plain_class_comes_back_with_its_class_and_without_secrets() -> None:
    headers = Headers(**{"retry-after": "3", "Authorization": "Bearer abc", "x-api-key": "abc"})
    pairs = [(b"accept", b"*"), (b"Cookie", b"abc")]
    response = Response(404, headers=headers, pairs=pairs, lock=threading.Lock(), token="abc")
    response.__dict__["again"] = response
    error: Any = ClientError(response, None)

    text = codec.dumps(dump_error(error, codec))
    found: Any = load_error(codec.loads(text))

    assert type(found.response) is Response and found.response.is_error
    again: Any = found.response
    assert again.headers["retry-after"] == "3"
    assert again.pairs[0] == (b"accept", b"*")
    assert "abc" not in text and "YWJj" not in text
    for touch in (
        lambda: again.lock,
        lambda: again.again,
        lambda: again.token,
        lambda: again.headers["Authorization"].upper(),
        lambda: bool(again.headers["x-api-key"]),
        lambda: again.pairs[1][1] == b"abc",
        lambda: isinstance(again.pairs[1][1], bytes),
    ):
        with pytest.raises(NotStoredError):
            touch()


class CallFailedError(Exception):
    __slots__ = ("client_secret",)


def test_an_error_comes_back_without_secrets_of_its_own() -> None:
    error: Any = CallFailedError("503")
    error.api_key, error.client_secret, error.tries = "abc", "abc", 3
    error.headers = {"Authorization": "abc", "Accept": "*/*"}
    error.pairs = [("Cookie", "abc"), {b"X-Api-Key": "abc"}]
    error.inner = inner = CallFailedError("401")
    vars(inner)["api_key"] = "abc"

    text = codec.dumps([dump_error(error, codec), dump_error(Exception(error), codec)])
    found: Any = through_redis(error)

    assert "abc" not in text
    assert (found.tries, found.headers["Accept"], found.args) == (3, "*/*", ("503",))
    for touch in (
        lambda: found.api_key,
        lambda: str(found.client_secret),
        lambda: str(found.headers["Authorization"]),
        lambda: found.inner.api_key,
    ):
        with pytest.raises(NotStoredError, match="its name says that it is a secret"):
            touch()


def test_of_an_object_whose_class_is_not_loaded_the_attributes_are_left() -> None:
    text = codec.dumps(dump_error(ClientError(Response(404), None), codec))

    found: Any = load_error(codec.loads(text.replace("test_failure.Response", "test_failure.Gone")))

    assert found.response.status_code == 404
    with pytest.raises(NotStoredError, match="that class is not loaded"):
        found.response.json()


class Deleted(Response):
    def __del__(self) -> None:
        raise AssertionError("an object that was read has run its class's code")


def test_an_object_with_code_that_runs_by_itself_is_not_made() -> None:
    text = codec.dumps(dump_error(ClientError(Response(404), None), codec))

    found: Any = load_error(codec.loads(text.replace("failure.Response", "failure.Deleted")))

    assert not isinstance(found.response, Deleted)


class SlottedError(Exception):
    __slots__ = ("code", "lock")

    def __init__(self, code: int, lock: Any) -> None:
        super().__init__("slotted")
        self.code, self.lock = code, lock


def test_attributes_in_slots_are_kept_and_missed_too() -> None:
    found: Any = through_redis(SlottedError(5, threading.Lock()))

    assert found.code == 5
    with pytest.raises(NotStoredError):
        bool(found.lock)


def test_errors_that_carry_each_other_and_large_objects_have_an_end() -> None:
    one, two = PaymentError(1, reason=Reason.BUSY), PaymentError(2, reason=Reason.BUSY)
    vars(one)["other"], vars(two)["other"] = two, one
    deep: Any = ValueError("0")
    for number in range(100):
        error: Any = ValueError(str(number))
        error.errors, error.first = [deep, deep], deep
        deep = error
    wide: Any = ValueError("wide")
    wide.parts = Response(1, more=[Response(2, more=[Response(3)] * 100) for _ in range(100)])

    for endless in (one, deep, wide):
        began = time.monotonic()
        found: Any = through_redis(endless)
        assert type(found) is type(endless) and str(found) == str(endless)
        assert time.monotonic() - began < 5
    with pytest.raises(NotStoredError):
        _ = through_redis(one).other.other.order  # type: ignore[attr-defined]


def test_an_error_of_a_class_that_is_not_loaded_has_its_attributes() -> None:
    data = dump_error(PaymentError(7, reason=Reason.BUSY), codec) | {"type": "shop.PaymentError"}

    found: Any = load_error(codec.loads(codec.dumps(data)))

    assert type(found) is RemoteError
    assert (vars(found)["order"], vars(found)["reason"], found.type_name) == (
        7,
        Reason.BUSY,
        "shop.PaymentError",
    )


def test_an_error_is_a_value_like_others() -> None:
    group = ExceptionGroup("many", [KeyError("a"), PaymentError(1, reason=Reason.BUSY)])
    cancelled = asyncio.CancelledError("stopped")
    values = [1, PaymentError(7, reason=Reason.BUSY), {"group": group}, cancelled]

    found: Any = codec.loads(codec.dumps(values))

    assert (found[0], type(found[1]), found[1].order) == (1, PaymentError, 7)
    assert [type(each) for each in found[2]["group"].exceptions] == [KeyError, PaymentError]
    assert type(found[3]) is asyncio.CancelledError and found[3].args == ("stopped",)


def test_a_long_message_is_cut_in_the_middle() -> None:
    data = dump_error(ValueError("a" * 1_000_000 + "z"), codec)

    assert len(codec.dumps(data)) < 12_000
    assert data["message"].startswith("aaa")
    assert data["message"].endswith("aaz")
    assert "995,905 characters left out" in data["message"]
    assert load_error(data).args == (data["message"],)


def test_a_long_chain_and_a_circle_of_causes_have_an_end() -> None:
    error: BaseException = ValueError(0)
    for number in range(1, 1000):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one

    for endless in (error, one):
        assert isinstance(through_redis(endless), ValueError)


def test_the_innermost_frames_of_the_traceback_are_kept() -> None:
    def deeper(levels: int) -> None:
        if levels:
            deeper(levels - 1)
        raise ValueError("at the bottom")

    data = dump_error(raised_by(lambda: deeper(100)), codec)

    assert 'raise ValueError("at the bottom")' in data["traceback"]
    assert data["traceback"].count("\n") < 100


def test_whatever_the_size_the_codec_can_write_it() -> None:
    small = Codec(limit=20_000, registry=registry)
    error = ExceptionGroup("many", [ValueError("x" * 10_000) for _ in range(40)])

    data = small.loads(small.dumps(dump_error(error, small)))

    assert data == {
        "type": "builtins.ExceptionGroup",
        "message": "many (40 sub-exceptions)",
        "args": ("many (40 sub-exceptions)",),
    }
    assert str(load_error(data)) == "ExceptionGroup: many (40 sub-exceptions)"


def test_a_class_that_is_not_loaded_comes_back_as_a_remote_error() -> None:
    found = load_error({"type": "shop.PaymentError", "message": "not paid", "args": ()})

    assert isinstance(found, RemoteError)
    assert (found.type_name, found.message) == ("shop.PaymentError", "not paid")


def test_an_error_of_a_class_that_is_not_loaded_is_caught_where_its_builtin_base_is() -> None:
    class OwnError(LookupError):
        def __init__(self, *, code: int) -> None:
            super().__init__(f"code {code}")
            self.code = code

    class LostError(ConnectionResetError):
        pass

    data = [dump_error(OwnError(code=3), codec), dump_error(LostError(104, "gone"), codec)]
    for each in data:
        each["type"] = "shop.OwnError"

    lookup, lost = (load_error(codec.loads(codec.dumps(each))) for each in data)
    again = load_error(codec.loads(codec.dumps(dump_error(lookup, codec))))

    for found in (lookup, again, pickle.loads(pickle.dumps(lookup))):
        assert isinstance(found, LookupError)
        assert isinstance(found, RemoteError)
        assert str(found) == "shop.OwnError: code 3"
    assert isinstance(lost, ConnectionError)
    assert isinstance(lost, RemoteError)
    assert lost.errno == 104
    assert not isinstance(lost, LookupError)


def test_a_description_that_was_not_read_by_the_codec_is_not_mistaken_for_arguments() -> None:
    tree = json.loads(codec.dumps(dump_error(ValueError("x"), codec)))

    assert str(load_error(tree)) == "ValueError: x"
    assert str(load_error(codec.revive(tree))) == "x"


def test_nothing_is_imported_for_the_sake_of_a_name() -> None:
    sys.modules.pop("this", None)

    for name in ("this.ZenError", "os.system", "builtins.eval", "builtins.object", "ValueError"):
        assert isinstance(load_error({"type": name, "message": "", "args": ("x",)}), RemoteError)
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    "error",
    [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError("by hand")],
    ids=lambda error: type(error).__name__,
)
def test_what_would_act_on_the_reader_comes_back_as_a_remote_error(error: BaseException) -> None:
    found = through_redis(error)

    assert isinstance(found, RemoteError)
    assert type(error).__name__ in found.type_name


def test_errors_of_extension_modules_come_back_as_text() -> None:
    found = through_redis(PydanticCustomError("too_dear", "{price} is too dear", {"price": 101}))

    assert isinstance(found, RemoteError)
    assert "PydanticCustomError" in found.type_name
    assert "101 is too dear" in found.message


def test_a_message_that_cannot_be_had_does_not_hide_the_error() -> None:
    data = dump_error(GrumpyError("x"), codec)

    assert data["message"] == "<str() of GrumpyError raised RuntimeError>"
    assert isinstance(load_error(data), GrumpyError)


def test_our_own_errors_come_back_whole() -> None:
    found = through_redis(CodecError("no", what="the result", path="$.a", type_name="set"))

    assert isinstance(found, CodecError)
    assert (str(found), found.path) == ("no", "$.a")
    assert str(through_redis(RemoteError("shop.Error", "x"))) == "shop.Error: x"


class ServiceError(Exception):
    pass


def service(_: str) -> type[ServiceError]:
    class BusyError(ServiceError):
        """All of them are the same, down to this line."""

    return BusyError


MailError, PayError = service("mail"), service("pay")


def test_classes_of_one_name_are_told_apart_by_the_variables_that_hold_them() -> None:
    written = [dump_error(kind("x"), codec) for kind in (MailError, PayError)]

    assert [type(load_error(data)) for data in written] == [MailError, PayError]


def test_an_error_of_a_class_that_no_variable_holds_is_not_mixed_up_with_those_of_its_name() -> (
    None
):
    local = service("post")
    data = dump_error(local("x"), codec)

    assert type(load_error(data)) is local


def test_where_an_error_may_be_of_either_of_two_classes_it_is_of_what_they_share() -> None:
    first, second = service("first"), service("second")

    for kind in (first, second):
        data = dump_error(kind("x"), codec)
        assert type(load_error(data)) is kind  # in the process that has stored it

        found = load_error(data | {"token": "of another process"})
        assert isinstance(found, RemoteError) and isinstance(found, ServiceError)
        assert not isinstance(found, (first, second, MailError, PayError))
        assert "2 loaded classes are called" in found.__notes__[0]


def test_an_error_of_a_variable_that_is_not_here_is_of_no_other_class_of_its_name() -> None:
    data = dump_error(MailError("x"), codec) | {"variables": ["tests.publisher.gone.MailError"]}

    found = load_error(data)

    assert isinstance(found, RemoteError) and not isinstance(found, (MailError, PayError))


def test_a_class_that_is_gone_gives_way_to_the_one_that_the_same_lines_have_made_again() -> None:
    def attempt() -> tuple[type[Exception], dict[str, Any]]:
        class DeniedError(Exception):
            pass

        return DeniedError, dump_error(DeniedError("x"), codec)

    data = attempt()[1]
    again = attempt()[0]

    assert type(load_error(data)) is again


def test_different_classes_with_one_name_are_not_mixed() -> None:
    def define(retry: bool) -> type[Exception]:
        class RefusedError(Exception):
            def is_worth_a_retry(self) -> bool:
                return retry

        return RefusedError

    later, never = define(True), define(False)
    written = [dump_error(kind("x"), codec) for kind in (later, never)]

    assert [type(load_error(data)) for data in written] == [later, never]
    for data in written:
        del data["mark"], data["token"]
        assert type(load_error(data)) is RemoteError


@given(
    st.dictionaries(
        st.sampled_from(
            ["type", "message", "args", "attributes", "hidden", "notes", "cause", "members"]
        ),
        st.recursive(
            st.sampled_from(
                [None, 1, "x", "builtins.OSError", "builtins.UnicodeDecodeError", "name"]
            ),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner),
            max_leaves=5,
        ),
    )
    | st.integers()
)
def test_data_of_any_shape_is_an_exception(data: Any) -> None:
    assert isinstance(load_error(data), Exception)


def test_an_error_of_an_http_library_comes_back_with_its_response() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json={"why": "gone"}, headers={"set-cookie": "sid=abcdef"})

    client = httpx.Client(
        transport=httpx.MockTransport(answer), headers={"Authorization": "Bearer abcdef"}
    )
    error = raised_by(client.get("http://shop/1").raise_for_status)

    text = codec.dumps(dump_error(error, codec))
    found: Any = load_error(codec.loads(text))

    assert isinstance(found, httpx.HTTPStatusError) and str(found) == str(error)
    assert (found.response.status_code, found.response.json()) == (404, {"why": "gone"})
    assert found.response.headers["content-type"] == "application/json"
    assert (found.request.method, str(found.request.url)) == ("GET", "http://shop/1")
    assert "abcdef" not in text and "YWJjZGVm" not in text
    for headers, name in (
        (found.request.headers, "authorization"),
        (found.response.headers, "set-cookie"),
    ):
        with pytest.raises(NotStoredError):
            headers.get(name)


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"a" * 100_000 + b"\xff",
        lambda: b"\xff" * 70_000,
    ],
)
def test_a_decode_error_of_a_large_text_comes_back_for_the_clauses_that_name_it(
    make: Callable[[], bytes],
) -> None:
    error = raised_by(make().decode)

    found: Any = through_redis(through_redis(error))

    assert isinstance(found, UnicodeDecodeError)
    assert str(error) in str(found)
    for name in ("encoding", "start", "end", "reason"):
        assert getattr(found, name) == getattr(error, name)
    with pytest.raises(NotStoredError, match="'object' of UnicodeDecodeError was not stored"):
        len(found.object)


@pytest.mark.parametrize(
    "error",
    [
        UnicodeEncodeError("ascii", "a" * 100_000 + "\xff", 100_000, 100_001, "no ASCII"),
        UnicodeTranslateError("a" * 100_000, 7, 8, "no such character"),
        SyntaxError("wrong", ("f.py", 1, 2, "x" * 100_000, 1, 3)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_whose_class_requires_arguments_that_are_too_large_is_still_of_its_class(
    error: Exception,
) -> None:
    found = through_redis(error)

    assert isinstance(found, type(error))
    assert isinstance(found, RemoteError)
    assert str(error) in str(found)
    assert "could not be rebuilt from its stored form" in found.__notes__[0]


def os_error_with_a_number_set_later() -> OSError:
    error = OSError("failed")
    error.errno, error.filename = 5, "data.bin"
    return error


def syntax_error_with_a_line_set_later() -> SyntaxError:
    error = SyntaxError("failed")
    error.lineno, error.filename = 5, "data.yaml"
    return error


def stop_with_a_value_set_later() -> StopIteration:
    error = StopIteration(1)
    error.value = 2
    return error


@pytest.mark.parametrize(
    "make",
    [
        os_error_with_a_number_set_later,
        syntax_error_with_a_line_set_later,
        stop_with_a_value_set_later,
    ],
)
def test_what_was_set_after_a_builtin_error_was_made_comes_back(
    make: Callable[[], Exception],
) -> None:
    error = make()

    found = through_redis(error)

    assert type(found) is type(error)
    assert (str(found), found.args) == (str(error), error.args)
    for name in ("errno", "filename", "lineno", "value"):
        assert getattr(found, name, None) == getattr(error, name, None)


def test_the_object_that_lacks_an_attribute_is_missed() -> None:
    found: Any = through_redis(raised_by(lambda: cast(Any, object()).missing))

    assert (type(found), found.name) == (AttributeError, "missing")
    with pytest.raises(NotStoredError, match="'obj' of AttributeError was not stored"):
        bool(found.obj)


class ResponseError(Exception):
    def __init__(self, status: int, body: object) -> None:
        super().__init__(status, body)
        self.body = body
        self.status = status
        self.headers = {"a": 1}


@pytest.mark.parametrize("body", ["x" * 100_000, list(range(50_000)), {"a": "y" * 100_000}])
def test_what_is_too_large_is_missed_and_leaves_room_for_the_rest(body: object) -> None:
    found: Any = through_redis(ResponseError(404, body))

    assert type(found) is ResponseError
    assert (found.args[0], found.status, found.headers) == (404, 404, {"a": 1})
    assert isinstance(found.args[1], str) and "characters left out" in found.args[1]
    with pytest.raises(NotStoredError, match=r"'body' of .*ResponseError was not stored"):
        _ = found.body


def test_of_a_value_of_many_parts_some_are_missed_and_the_rest_has_room() -> None:
    found: Any = through_redis(ResponseError(404, [["y"] * 100] * 1000))

    assert (found.status, found.headers, found.body[0]) == (404, {"a": 1}, ["y"] * 100)
    with pytest.raises(NotStoredError, match="is a part of too large an object"):
        len(found.body[-1])


@pytest.mark.parametrize(
    "changed",
    [
        {"args": ("utf-8", b"", -(10**9), -(10**9) + 1, "no")},
        {"hidden": {"start": -(10**9), "end": -(10**9) + 1}},
        {"hidden": {"object": "text"}},
        {"lost": {"object": "gone"}},
    ],
)
def test_a_forged_unicode_error_reads_no_memory_beyond_its_text(changed: Any) -> None:
    data = dump_error(raised_by(b"\xff".decode), codec)

    found = load_error(data | changed)

    assert isinstance(found, UnicodeDecodeError)
    assert "invalid start byte" in str(found)


class Shade(Enum):
    DARK = 1


class Stock(pydantic.BaseModel):
    left: int
    shade: Shade


class StockError(Exception):
    def __init__(self, stock: Stock) -> None:
        super().__init__("too few")
        self.stock = stock


def test_what_an_error_has_shown_is_no_class_that_may_be_stored() -> None:
    own = Codec(registry=TypeRegistry())
    stock = Stock(left=1, shade=Shade.DARK)

    found: Any = load_error(own.loads(own.dumps(dump_error(StockError(stock), own))))

    assert (type(found), found.stock) == (StockError, stock)
    assert found.stock.shade is Shade.DARK
    assert Stock not in own.registry and Shade not in own.registry
    for value in (found.stock, Shade.DARK):
        with pytest.raises(CodecError, match="was not announced"):
            own.dumps(value)


BUILTIN_CLASSES = [cls for cls in BASES.values() if not issubclass(cls, UnicodeError)]
ARGUMENTS: list[Any] = [
    *(
        None,
        True,
        0,
        2,
        13,
        -1,
        2**70,
        10**5000,
        1.5,
        float("nan"),
        "",
        "a",
        "\ud800",
        "x" * 70_000,
    ),
    *(b"x", (1, 2), ("f.py", 1, 2, "text"), ("f.py", 1, 2, "text", 1, 3), [1], {"a": 1}, {1}),
    object(),
]


@given(st.sampled_from(BUILTIN_CLASSES), st.lists(st.sampled_from(ARGUMENTS), max_size=5))
@example(ValueError, [float("nan"), 10**5000])
@example(OSError, [10**5000, "a"])
def test_a_builtin_error_with_any_arguments_comes_back_as_its_type(cls: Any, args: Any) -> None:
    try:
        error = cls(*args)
    except (TypeError, ValueError):  # which the class does not take
        return

    found = through_redis(error)

    assert type(found) is type(error)
    for kept, arg in zip(found.args, error.args, strict=False):
        assert kept == arg or isinstance(kept, str) or kept != kept
