from __future__ import annotations

import json
import sys
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.loose import Remains
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.errors import CodecError, ValueTooLargeError
from penstock.runtime.errors import Suspend
from tests.publisher.codec.exactness import assert_same

registry = TypeRegistry()
codec = Codec(registry=registry)


@registry.add
class Colour(Enum):
    RED = "red"
    DARK_RED = (100, 0, 0)


@registry.add
class Size(IntEnum):
    SMALL = 1


@registry.add
class Mood(StrEnum):
    GOOD = "good"


@registry.add
class Right(Flag):
    READ = 1
    WRITE = 2


@registry.add
class Point(NamedTuple):
    x: Any
    y: Any = 0


@registry.add
@dataclass(frozen=True, slots=True)
class Line:
    start: Any
    end: Any = None


@registry.add
class Order(pydantic.BaseModel):
    number: int
    lines: list[Any] = []


CLASSES = [Colour, Size, Mood, Right, Point, Line, Order]

surrogates = st.text(st.characters(), max_size=5)
strings = st.one_of(
    surrogates, st.sampled_from(["~", "~tuple", '"~', "\x00", "\ud83d\ude00", "\ud800"])
)
offsets = st.builds(
    timezone, st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
)
zones: st.SearchStrategy[tzinfo | None] = st.one_of(
    st.none(),
    st.just(UTC),
    offsets,
    st.just(timezone(timedelta(hours=1), "Home")),
    st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]).map(ZoneInfo),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**70, -(2**70), 1, 1.0, -0.0]),
    st.floats(),
    st.complex_numbers(),
    strings,
    st.binary(max_size=20),
    st.binary(max_size=5).map(bytearray),
    st.datetimes(timezones=zones, allow_imaginary=True),
    st.times(timezones=st.one_of(st.none(), offsets)),
    st.dates(),
    st.timedeltas(),
    st.uuids(),
    st.decimals(),
    st.ip_addresses(),
    st.sampled_from([*Colour, *Size, *Mood, *Right, Right(0), Right.READ | Right.WRITE]),
    st.sampled_from([Path("a/b"), Path("/"), PurePosixPath("x"), PureWindowsPath("c:\\x")]),
    st.builds(Point, st.integers(), strings),
)


def is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


hashable = st.recursive(
    scalars.filter(is_hashable),
    lambda inner: st.one_of(
        st.tuples(inner, inner), st.frozensets(inner, max_size=3), st.builds(Line, inner)
    ),
    max_leaves=4,
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(strings, inner, max_size=4),
        st.dictionaries(hashable, inner, max_size=3),
        st.sets(hashable, max_size=3),
        st.builds(deque[Any], st.lists(inner, max_size=3), st.sampled_from([None, 3])),
        st.dictionaries(hashable, inner, max_size=3).map(OrderedDict),
        st.builds(Point, inner, inner),
        st.builds(Line, inner, inner),
        st.builds(Order, number=st.integers(), lines=st.lists(inner, max_size=3)),
        st.builds(Order, number=st.integers()),
    )


values = st.recursive(scalars, containers, max_leaves=12)


@given(values)
@example({1: "a", "1": "b", None: "c", False: "d", (1, 2): "e"})
@example({"~tuple": [1]})
@example({"a": {"~": 1, "~float": 2}})
@example([float("nan"), float("inf"), -float("inf"), -0.0])
@example("\ud83d\ude00")  # two halves that JSON escapes would merge
@example(["\ud800", "\ud83d\ude00", "😀"])
@example({"\ud83d\ude00": 1, "😀": 2})
@example(datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1))
@example({float("nan")})
@example([10**4299, -(2**70)])
def test_f58_a_value_reads_back_as_exactly_the_same_value(value: Any) -> None:
    assert_same(codec.loads(codec.dumps(value)), value)


@given(values)
def test_the_parsed_tree_of_a_text_revives_to_the_same_value(value: Any) -> None:
    assert_same(codec.revive(json.loads(codec.dumps(value))), value)


@given(values)
def test_text_is_utf8_in_one_line(value: Any) -> None:
    text = codec.dumps(value)

    assert codec.loads(text.encode()) is not text
    assert "\n" not in text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_json_is_plain_data_or_an_error_when_read(tree: Any) -> None:
    for text in (json.dumps(tree), json.dumps(tree).encode()):
        try:
            codec.loads(text)
        except CodecError:
            pass


tags = [
    *("tuple", "set", "frozenset", "dict", "ordereddict", "counter", "deque", "float", "record"),
    *("enum", "bytes", "bytearray", "datetime", "time", "date", "timedelta", "timezone", "complex"),
    *("uuid", "decimal", "ipv4address", "ipv6network", "path", "url", "str", "", "nonsense"),
    *("error", "object", "shown", "lost"),
]
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([10**400, -1, 0, 1e308, -5])
    | st.integers()
    | st.text(max_size=4)
    | st.sampled_from([f"{cls.__module__}.{cls.__qualname__}" for cls in CLASSES])
    | st.sampled_from(["os.system", "nan", "posix.system", "../../etc/passwd", "READ", "number"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["state", "set", "extra", "number", "~tuple"]), inner)
        | st.dictionaries(st.sampled_from([f"~{tag}" for tag in tags]), inner, max_size=1)
    ),
    max_leaves=10,
)


@given(st.sampled_from(tags), junk)
@example("record", ["tests.publisher.codec.test_codec.Order", {"number": 1}, {"state": [1]}])
@example("timedelta", [10**400, 0, 0])
@example("decimal", "1e99999999999999999999")
@example("timezone", "../../../etc/passwd")
@example("datetime", ["2020-01-01", 5, None])
@example("deque", [[1, 2], -1])
@example("set", [[1]])
@example("set", "abc")
@example("tuple", {"a": 1})
@example("dict", [[1]])
@example("dict", ["ab"])
@example("float", "1")
@example("object", ["tests.publisher.codec.test_codec.Order", {"number": 1}, {}])
@example("object", ["collections.OrderedDict", {}, {"__class__": "x"}])
@example("shown", {"~record": ["tests.publisher.codec.test_codec", {}]})
@example("shown", {"~enum": ["enum.Enum", "x"]})
@example("error", {"type": "builtins.SystemExit", "args": [], "lost": {"args": 1}})
def test_wrong_shapes_behind_a_tag_are_an_error_or_plain_data(tag: str, inside: Any) -> None:
    try:
        codec.revive({f"~{tag}": inside})
    except CodecError:
        pass


def test_f59_nothing_named_by_data_is_imported_or_called(capfd: pytest.CaptureFixture[str]) -> None:
    sys.modules.pop("this", None)

    found = [
        codec.loads(json.dumps({tag: [name, {"s": "echo owned"}, {}]}))
        for tag in ("~record", "~enum")
        for name in ("os.system", "this.d", "subprocess.Popen", "builtins.eval")
    ]

    assert found == [{"s": "echo owned"}] * 4 + [{}] * 4
    assert "this" not in sys.modules
    assert capfd.readouterr().out == ""


def test_f59_no_object_is_made_whose_class_is_not_loaded_or_that_acts_by_itself() -> None:
    sys.modules.pop("this", None)

    for name in ("subprocess.Popen", "this.d", "builtins.eval", "os.system", "threading.Lock"):
        found = codec.loads(json.dumps({"~object": [name, {"pid": 1}, {}]}))
        assert type(found) is Remains and found.pid == 1

    assert "this" not in sys.modules


def test_a_class_that_is_not_registered_here_reads_as_its_fields() -> None:
    stranger = Codec(registry=TypeRegistry())
    value = [Order(number=1, lines=[Point(1, 2)]), Colour.RED, Line(1), Right.READ]

    found = stranger.loads(codec.dumps(value))

    assert found == [
        {"number": 1, "lines": [{"x": 1, "y": 2}]},
        "red",
        {"start": 1, "end": None},
        1,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        "NaN",
        "-Infinity",
        "",
        "{",
        '{"~newer": 1}',
        b"\x80\x04]\x94.",
        b"\xff\xfe",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_f59_damaged_or_hostile_text_is_a_codec_error(text: str | bytes) -> None:
    with pytest.raises(CodecError):
        codec.loads(text)


@pytest.mark.parametrize("text", ["[" * 700 + "]" * 700, '{"~tuple":[' * 350 + "]}" * 350])
def test_deep_text_is_read_if_the_stack_allows_or_a_codec_error(text: str) -> None:
    try:
        codec.loads(text)
    except CodecError:
        pass


def test_duplicate_keys_read_as_the_last() -> None:
    assert codec.loads('{"a": 1, "a": 2}') == {"a": 2}


class Words(dict[str, int]):
    pass


class Label(str):
    pass


unwritable: list[tuple[Any, str, str]] = [
    ({"a": [0, 1, 2, {"b": threading.Lock()}]}, "$.a[3].b", "no stored form"),
    ([lambda: 0], "$[0]", "no stored form"),
    ((1, {2: object()}), "$[1][2]", "no stored form"),
    ({"odd key": object()}, "$['odd key']", "object"),
    ({(1, object()): 1}, "$.keys()[0][1]", "object"),
    ({7: object()}, "$[7]", "object"),
    ({2**61 - 1: object()}, "$[a key of type int]", "object"),
    ({(1,): object()}, "$[a key of type tuple]", "object"),
    ({None: object()}, "$[None]", "object"),
    (Words(a=1), "$", "plain dict: convert it with dict()"),
    ([Label("x")], "$[0]", "plain str"),
    (defaultdict(list[int]), "$", "plain dict"),
    (Order(number=1, lines=[object()]), "$.lines[0]", "object"),
    (Point(1, object()), "$.y", "object"),
    (Line({1, (2, frozenset({Label("x")}))}), "$.start", "plain str"),
    ({"n": 10**4300}, "$.n", "4300 digits"),
    (-(10**5000), "$", "4300 digits"),
    (deque([object()]), "$[0]", "object"),
    (int, "$", "no stored form"),
    (Suspend("x"), "$", "no stored form"),
]


@pytest.mark.parametrize(
    ("value", "path", "says"), unwritable, ids=[path for _, path, _ in unwritable]
)
def test_f56_what_cannot_be_written_is_named_by_place_and_type(
    value: Any, path: str, says: str
) -> None:
    with pytest.raises(CodecError, match="the result of step 'fetch'") as caught:
        codec.dumps(value, "the result of step 'fetch'")

    assert caught.value.path.startswith(path)
    assert caught.value.type_name in str(caught.value)
    assert caught.value.what == "the result of step 'fetch'"
    assert says in str(caught.value)


def test_a_value_of_an_unregistered_class_says_how_to_register_it() -> None:
    @dataclass
    class Stranger:
        a: int

    with pytest.raises(CodecError, match=r"call register_type\(Stranger\)"):
        codec.dumps([Stranger(1)])


@pytest.mark.parametrize("text", ["2020-01-01T12:00:00Z", "2020-01-01T12:00:00+05:30"])
def test_a_time_that_pydantic_has_parsed_comes_back_at_its_offset(text: str) -> None:
    parsed = pydantic.TypeAdapter(datetime).validate_python(text)

    back = codec.loads(codec.dumps(parsed))

    assert back == parsed
    assert back.isoformat() == parsed.isoformat().replace("Z", "+00:00")
    assert type(back.tzinfo) is timezone


def test_a_time_zone_without_a_name_is_refused() -> None:
    class Odd(tzinfo):
        def utcoffset(self, dt: datetime | None) -> timedelta:
            return timedelta(hours=1)

        def dst(self, dt: datetime | None) -> None:
            return None

        def tzname(self, dt: datetime | None) -> None:
            return None

    with pytest.raises(CodecError, match=r"\$\.tzinfo"):
        codec.dumps(datetime(2020, 1, 1, tzinfo=Odd()))


def cycle_of_lists() -> Any:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


def cycle_of_tuples() -> Any:
    value: tuple[Any, list[Any]] = (1, [])
    value[1].append(value)
    return value


def cycle_of_records() -> Any:
    order = Order(number=1)
    order.lines.append(order)
    return order


@pytest.mark.parametrize("make", [cycle_of_lists, cycle_of_tuples, cycle_of_records])
def test_f57_a_value_that_contains_itself_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(CodecError, match="contains itself") as caught:
        codec.dumps(make())

    assert len(caught.value.path) < 30


def nested(wrap: Callable[[Any], Any], levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = wrap(value)
    return value


wrappers: list[Callable[[Any], Any]] = [
    lambda inner: [inner],
    lambda inner: {"a": inner},
    lambda inner: (inner,),
    lambda inner: {1: inner},
    lambda inner: Line(inner),
    lambda inner: Order(number=1, lines=[inner]),
    lambda inner: frozenset([inner]),
    lambda inner: OrderedDict([("a", inner)]),
]


@pytest.mark.parametrize("wrap", wrappers)
def test_f57_what_is_nested_too_deeply_is_refused_and_all_else_can_be_read(
    wrap: Callable[[Any], Any],
) -> None:
    deepest = 0
    for levels in range(1, 250):
        try:
            text = codec.dumps(nested(wrap, levels))
        except CodecError as error:
            assert "levels deep" in str(error)
            break
        codec.loads(text)
        deepest = levels

    assert deepest >= 40
    with pytest.raises(CodecError):
        codec.dumps(nested(wrappers[0], 100_000))


def test_a_stack_without_room_is_a_codec_error_too() -> None:
    value = nested(lambda inner: [(inner,)], 40)
    text = codec.dumps(value)

    def use_up(action: Callable[[], Any]) -> None:
        try:
            use_up(action)
        except RecursionError:
            action()

    for action in (lambda: codec.dumps(value), lambda: codec.loads(text)):
        with pytest.raises((CodecError, RecursionError)):
            use_up(action)


def test_the_limit_names_the_step_the_sizes_and_the_setting() -> None:
    small = Codec(limit=100, registry=registry)

    small.dumps("x" * 98)
    with pytest.raises(
        ValueTooLargeError,
        match=r"the result of 'fetch' has 101 bytes, over the limit of 100: .* value_limit",
    ):
        small.dumps("x" * 99, "the result of 'fetch'")
    with pytest.raises(ValueTooLargeError, match="122 bytes"):
        small.dumps("😀" * 30)


def test_a_dict_that_another_thread_changes_is_an_error_or_a_snapshot() -> None:
    value: dict[Any, Any] = {(number,): number for number in range(1000)}
    done = threading.Event()

    def change() -> None:
        number = 1000
        while not done.is_set():
            value[(number,)] = value.pop((number - 1000,))
            number += 1

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(20):
            try:
                codec.dumps(value)
            except CodecError:
                pass
    finally:
        done.set()
        changing.join()


def test_sets_have_the_same_text_whatever_the_order_of_insertion() -> None:
    names = [f"name-{number}" for number in range(100)]

    assert codec.dumps(set(names)) == codec.dumps(set(reversed(names)))
    assert codec.dumps({(1, "a"), (2, "b")}) == codec.dumps({(2, "b"), (1, "a")})


def test_a_digest_has_the_size_asked_for_and_does_not_change_between_releases() -> None:
    assert codec.digests('[[1,"a"],{"x":null}]', 6) == ("4279bc9d2f98",)
    assert [len(digest) for digest in codec.digests("", 16)] == [32]
    assert codec.digests("\ud800", 6) != codec.digests("\udfff", 6)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ({"a": [1, 2.5, "é"]}, '{"a":[1,2.5,"é"]}'),
        ((1,), '{"~tuple":[1]}'),
        ({2, 1}, '{"~set":[1,2]}'),
        ({1: 2}, '{"~dict":[[1,2]]}'),
        ("\ud800é", '"\\ud800é"'),
        (b"abc", '{"~bytes":"YWJj"}'),
        (datetime(2026, 1, 2, tzinfo=UTC), '{"~datetime":"2026-01-02T00:00:00+00:00"}'),
        (date(2026, 1, 2), '{"~date":"2026-01-02"}'),
        (time(1, 2), '{"~time":"01:02:00"}'),
        (timedelta(seconds=1), '{"~timedelta":[0,1,0]}'),
        (UUID(int=1), '{"~uuid":"00000000-0000-0000-0000-000000000001"}'),
        (Decimal("1.10"), '{"~decimal":"1.10"}'),
        (Counter("aab"), '{"~counter":[["a",2],["b",1]]}'),
        (Colour.RED, '{"~enum":["tests.publisher.codec.test_codec.Colour","RED","red"]}'),
        (Line(1), '{"~record":["tests.publisher.codec.test_codec.Line",{"start":1,"end":null}]}'),
    ],
)
def test_the_text_of_a_value_is_part_of_the_wire_format(value: Any, text: str) -> None:
    assert codec.dumps(value) == text
    assert_same(codec.loads(text), value)


@pytest.mark.parametrize(
    "value",
    [
        ip_address("::1"),
        ip_network("10.0.0.0/8"),
        pydantic.HttpUrl("https://example.org/a?b=c#d"),
        pydantic.AnyUrl("custom://x"),
        uuid4(),
        timezone(timedelta(hours=2), "Home"),
        ZoneInfo("Europe/Berlin"),
        time(1, 2, fold=1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_further_scalars_read_back(value: Any) -> None:
    assert_same(codec.loads(codec.dumps(value)), value)


class Color(Enum):
    RED = 1


class Shade(Enum):
    RED = 1


@dataclass(unsafe_hash=True)
class Mutable:
    text: object


@pytest.mark.parametrize(
    "value",
    [
        {Color.RED: "a", Shade.RED: "b"},
        {Color.RED: "a", 1: "b"},
        {Color.RED, Shade.RED},
        frozenset([Color.RED, 1]),
        Counter([Color.RED, 1]),
    ],
    ids=["enums", "enum and number", "set", "frozenset", "counter"],
)
def test_keys_that_are_equal_where_their_classes_are_unknown_are_an_error(value: Any) -> None:
    with_classes = TypeRegistry()
    with_classes.add(Color)
    with_classes.add(Shade)
    text = Codec(registry=with_classes).dumps(value)

    assert Codec(registry=with_classes).loads(text) == value
    with pytest.raises(CodecError, match="two keys of a stored dict or set are equal here"):
        Codec(registry=TypeRegistry()).loads(text)


@pytest.mark.parametrize("container", [dict.fromkeys, set, frozenset, OrderedDict.fromkeys])
def test_keys_that_have_become_equal_are_refused(container: Callable[[Any], Any]) -> None:
    with_label = TypeRegistry()
    with_label.add(Mutable)
    first, second = Mutable("a"), Mutable("b")
    value = container([first, second])

    second.text = "a"

    with pytest.raises(CodecError, match="has keys that have become equal"):
        Codec(registry=with_label).dumps(["before", value])

    second.text = []

    with pytest.raises(CodecError, match=r"\$\[1\].*has a key that has become invalid"):
        Codec(registry=with_label).dumps(["before", value])


@pytest.mark.parametrize(
    "value",
    [{True: 1, "True": 2, "1": 3}, {1: 1, "1": 2}, {None: 1, "None": 2}, {1.5: 1, "1.5": 2}],
)
def test_keys_of_other_types_are_not_mixed_up_with_their_texts(value: Any) -> None:
    assert_same(Codec().loads(Codec().dumps(value)), value)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Instant(datetime):
    pass


class Mapping(OrderedDict[str, int]):
    pass


@pytest.mark.parametrize(
    "value",
    [
        Text("a"),
        Number(1),
        Instant(2026, 1, 1),
        Mapping(a=1),
        defaultdict(int, a=1),
        type("Bytes", (bytes,), {})(b"a"),
        type("Amount", (Decimal,), {})("1"),
        type("Several", (list,), {})([1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_instance_of_a_subclass_of_a_builtin_type_is_refused_wherever_it_is(value: Any) -> None:
    places: list[Any] = [
        value,
        [1, value],
        {"a": value},
        Point(value),
        OrderedDict[str, Any](a=value),
    ]
    for wrapped in places:
        with pytest.raises(CodecError, match=r"would come back as a plain|has no stored form"):
            codec.dumps(wrapped)


@pytest.mark.parametrize("value", [Text("a"), Number(1)])
def test_a_key_of_a_subclass_of_a_builtin_type_is_refused(value: Any) -> None:
    for container in ({value: 1}, {value}, Counter([value]), OrderedDict([(value, 1)])):
        with pytest.raises(CodecError, match="would come back as a plain"):
            codec.dumps(container)


@pytest.mark.parametrize("make", [OrderedDict[str, int], Counter[str]])
def test_a_special_dict_with_attributes_is_refused(make: Callable[..., Any]) -> None:
    value = make(a=1)
    assert_same(codec.loads(codec.dumps(value)), value)

    value.note = "lost"

    with pytest.raises(CodecError, match="has attributes beside its entries"):
        codec.dumps(value)
