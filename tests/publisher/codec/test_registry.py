from __future__ import annotations

import abc
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
)

import pydantic
import pytest

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.registry import TypeRegistry, register_type, registered
from penstock.publisher.errors import CodecError, ConfigurationError

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForTheTypeChecker

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


class Colour(Enum):
    RED = 1


class Deepest(pydantic.BaseModel):
    colour: Colour | None = None


@dataclass
class Middle:
    inner: dict[str, list[Deepest]]
    again: Middle | None = None


class Top(NamedTuple):
    middle: Middle


class Loose(TypedDict, total=False):
    top: Top


class Model(pydantic.BaseModel, Generic[T]):
    item: T


@dataclass
class Crate(Generic[T]):
    item: T


@dataclass(frozen=True)
class final(Generic[R, S]):  # named as in the API
    value: R
    save: S


class HasName(Protocol):
    name: str


Alias = NewType("Alias", Top)
Bound = TypeVar("Bound", bound=Middle)
Either = TypeVar("Either", Colour, Deepest)
ALL = {Top, Middle, Deepest, Colour}


def plain(value: Top) -> None: ...
def result(value: int) -> Top:
    raise NotImplementedError


def union(value: int | Top | None) -> None: ...
def old_union(value: Union[int, Optional[Top]]) -> None: ...  # noqa: UP007, UP045
def generic(value: Mapping[str, tuple[Top, ...]]) -> None: ...
def annotated(value: Annotated[list[Top], {"un": ["hashable"]}]) -> None: ...
def new_type(value: Alias) -> None: ...
def typed_dict(value: Loose) -> None: ...
def function(value: Callable[[Top], Awaitable[int]]) -> None: ...
def quoted(value: list["Top"]) -> None: ...  # noqa: UP037
def in_final(value: int) -> final[Top, None]:
    raise NotImplementedError


def in_generic_dataclass(value: Crate[Crate[Top]]) -> None: ...
def starred(*args: Top, **kwargs: int) -> None: ...
def streamed() -> AsyncIterator[Top]:
    raise NotImplementedError


@functools.wraps(plain)
def wrapped(*args: Any) -> None: ...


class Callee:
    def __call__(self, value: Top) -> None: ...

    def method(self, value: Top) -> None: ...


declarations: list[Callable[..., Any]] = [
    *(plain, result, union, old_union, generic, annotated, new_type, typed_dict, function),
    *(quoted, in_final, in_generic_dataclass, starred, streamed, wrapped),
    *(Callee(), Callee().method, functools.partial(plain)),
]


@pytest.mark.parametrize("declared", declarations)
def test_a_scan_finds_the_classes_of_annotations_and_of_their_fields(
    declared: Callable[..., Any],
) -> None:
    registry = TypeRegistry()

    registry.scan(declared)

    assert {cls for cls in ALL if cls in registry} == ALL


def test_a_scan_finds_members_of_literals_and_bounds_of_variables() -> None:
    def literal(value: Literal[Colour.RED, "x"]) -> None: ...
    def bound(value: Bound) -> Bound:
        raise NotImplementedError

    def either(value: Either) -> Either:
        raise NotImplementedError

    def model(value: Model[Top]) -> None: ...

    found = [TypeRegistry() for _ in range(4)]
    functions: list[Callable[..., Any]] = [literal, bound, either, model]
    for registry, declared in zip(found, functions, strict=True):
        registry.scan(declared)

    assert Colour in found[0]
    assert Middle in found[1]
    assert Colour in found[2] and Deepest in found[2]
    assert Model[Top] in found[3] and Top in found[3]


def test_a_scan_finds_classes_defined_beside_the_function() -> None:
    @dataclass
    class Local:
        n: int

    def make(n: int) -> Local:
        return Local(n)

    registry = TypeRegistry()
    registry.scan(make)

    assert Local in registry


def test_a_scan_finds_what_it_can_beside_a_name_that_never_resolves() -> None:
    def half(value: OnlyForTheTypeChecker, top: Top) -> None: ...

    registry = TypeRegistry()
    registry.scan(half)

    assert Top in registry


def test_a_class_that_is_defined_after_the_function_is_found_when_it_is_needed() -> None:
    names: dict[str, Any] = {"__name__": "later"}
    exec("def work(value: 'Later') -> None: ...", names)
    registry = TypeRegistry()
    registry.scan(names["work"])

    exec("import enum\nclass Later(enum.Enum):\n    A = 1", names)
    later = names["Later"]
    codec = Codec(registry=registry)

    assert codec.loads('{"~enum":["later.Later","A"]}') is later.A
    assert codec.loads(codec.dumps(later.A)) is later.A


class Trap:
    """An object on which every question fails."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def odd_annotations() -> list[Any]:
    def trapped(value: Any) -> None: ...
    def valued(value: Any) -> None: ...
    def broken(value: Any) -> None: ...

    trapped.__annotations__ = {"value": Trap(), "more": [Trap()]}
    valued.__annotations__ = {"value": 5, "other": {"a": 1}, "return": ...}
    broken.__annotations__ = {"value": "1 +", "other": "nowhere.at.all", "more": "1 / 0"}
    return [trapped, valued, broken, Trap(), None, 5, len, print, dict.get, "text", Trap, int]


def test_a_scan_never_raises() -> None:
    for declared in odd_annotations():
        TypeRegistry().scan(declared)


def test_a_scan_of_signatures_with_parameters_and_protocols_adds_nothing() -> None:
    def wraps(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        raise NotImplementedError

    def duck(value: HasName, rest: Any) -> list[int]:
        raise NotImplementedError

    registry = TypeRegistry()
    registry.scan(wraps)
    registry.scan(duck)

    assert HasName not in registry
    assert int not in registry


def test_adding_a_class_adds_the_classes_of_its_fields() -> None:
    registry = TypeRegistry()

    assert registry.add(Top) is Top

    assert {cls for cls in ALL if cls in registry} == ALL


@dataclass
class Words(dict[str, int]):
    extra: int = 0


@pytest.mark.parametrize("cls", [int, dict, object, Trap, Words, HasName, ValueError, Loose])
def test_a_class_that_cannot_be_rebuilt_exactly_cannot_be_registered(cls: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be registered"):
        TypeRegistry().add(cls)


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self) -> float: ...


@dataclass
class Circle(Shape):
    radius: int

    def area(self) -> float:
        return 3.14 * self.radius**2


class Event(pydantic.BaseModel):
    at: int = 0


class Paid(Event):
    colour: Colour = Colour.RED


class Refunded(Paid):
    reason: str = ""


class Kind(StrEnum):
    pass


class Animal(Kind):
    CAT = "cat"


def by_bases(shapes: list[Shape], events: dict[str, Event | None], kind: Kind) -> None: ...


@pytest.mark.parametrize("value", [Circle(1), Paid(at=1), Refunded(reason="x"), Animal.CAT])
def test_a_base_class_in_an_annotation_admits_its_subclasses(value: Any) -> None:
    writer, reader = TypeRegistry(), TypeRegistry()
    writer.scan(by_bases)
    reader.scan(by_bases)

    found = Codec(registry=reader).loads(Codec(registry=writer).dumps([value]))

    assert found == [value] and type(found[0]) is type(value)


def test_an_annotation_of_all_models_admits_them_and_of_anything_admits_none() -> None:
    def models(value: pydantic.BaseModel) -> None: ...
    def anything(value: Any, other: object, call: Callable[[], None]) -> None: ...

    some, none = TypeRegistry(), TypeRegistry()
    some.scan(models)
    none.scan(anything)

    assert Codec(registry=some).loads(Codec(registry=some).dumps(Paid())) == Paid()
    with pytest.raises(CodecError, match="register_type"):
        Codec(registry=none).dumps(Paid())


def test_an_offered_annotation_may_be_anything() -> None:
    registry = TypeRegistry()

    for annotation in (list[Paid] | None, 5, Trap(), None):
        registry.offer(annotation)

    assert Paid in registry and Colour in registry


def test_a_class_decorator_registers_with_the_registry_of_this_process() -> None:
    @register_type
    class Announced(pydantic.BaseModel):
        n: int

    assert Announced in registered
    assert Codec().loads(Codec().dumps(Announced(n=1))) == Announced(n=1)


def test_a_class_that_was_never_announced_is_not_written() -> None:
    class Silent(pydantic.BaseModel):
        n: int

    with pytest.raises(CodecError):
        Codec(registry=TypeRegistry()).dumps(Silent(n=1))


def test_a_value_whose_class_an_annotation_cannot_find_says_which_and_how_to_mend_it() -> None:
    class Silent(pydantic.BaseModel):
        n: int

    names: dict[str, Any] = {"__name__": "flows"}
    exec("def pay(value: 'list[Silent]', other: 'Unknown') -> None: ...", names)
    registry = TypeRegistry()
    registry.scan(names["pay"])

    with pytest.raises(CodecError) as caught:
        Codec(registry=registry).dumps([Silent(n=1)])

    assert "annotation of pay() names, and Silent means nothing where" in str(caught.value)
    assert "outside of `if TYPE_CHECKING:`, or call register_type(Silent)" in str(caught.value)
