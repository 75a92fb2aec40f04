from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from enum import Enum, Flag, unique
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import pydantic
import pytest
from pydantic.dataclasses import dataclass as pydantic_dataclass

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.errors import CodecError
from tests.publisher.codec.exactness import assert_same

T = TypeVar("T")
registry = TypeRegistry()
codec = Codec(registry=registry)


@registry.add
class Inner(pydantic.BaseModel):
    n: int = 0


@registry.add
@dataclass
class Box:
    content: Any


@registry.add
class Nested(pydantic.BaseModel):
    boxes: list[Box]


@registry.add
class Aliased(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(alias_generator=str.upper)

    first_name: str
    other: int = pydantic.Field(default=1, alias="2")
    hidden: str = pydantic.Field(default="s", exclude=True)
    shown_not: str = pydantic.Field(default="r", repr=False)


@registry.add
class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    known: int


@registry.add
class Private(pydantic.BaseModel):
    seen: int = 0
    _count: int = pydantic.PrivateAttr(default=0)
    _unset: int = pydantic.PrivateAttr()
    _made: list[int] = pydantic.PrivateAttr(default_factory=list[int])


@registry.add
class Picky(pydantic.BaseModel):
    """Validators that cannot take their own result."""

    model_config = pydantic.ConfigDict(frozen=True, strict=True)

    when: datetime
    built: int = 0

    @pydantic.field_validator("when", mode="before")
    @classmethod
    def parse(cls, text: str) -> datetime:
        return datetime.fromisoformat(text)

    @pydantic.model_validator(mode="after")
    def refuse_when_rebuilt(self) -> Picky:
        assert type(self).__name__ not in rebuilding
        return self

    @cached_property
    def year(self) -> int:
        return self.when.year

    @pydantic.computed_field
    def month(self) -> int:
        return self.when.month


rebuilding: list[str] = []


@registry.add
class Names(pydantic.RootModel[list[str]]):
    pass


class Pair(pydantic.BaseModel, Generic[T]):
    left: T


registry.add(Pair[int])
registry.add(Pair[Inner])


@pydantic_dataclass
class Checked:
    n: int


registry.add(Checked)


@registry.add
@dataclass(frozen=True, slots=True, order=True)
class Frozen:
    a: int
    b: list[int] = field(default_factory=list[int])


class Slotted:
    __slots__ = ("__secret", "rest")

    def __init__(self, secret: int) -> None:
        self.__secret = secret


@registry.add
@dataclass(init=False)
class Mangled(Slotted):
    a: int

    def __init__(self, a: int, secret: int) -> None:
        super().__init__(secret)
        self.a = a


@registry.add
@dataclass
class Computed:
    a: int
    factor: InitVar[int]
    b: int = field(init=False)
    never: int = field(init=False, compare=False, repr=False)
    fixed: int = field(init=False, default=5)
    calls = 0

    def __post_init__(self, factor: int) -> None:
        Computed.calls += 1
        self.b = self.a * factor
        self.extra = "not a field"

    @cached_property
    def large(self) -> object:
        return object()


@registry.add
@dataclass
class Generous(Generic[T]):
    item: T


Old: Any = namedtuple("Old", "x y", defaults=[2])  # pyright: ignore[reportUntypedNamedTuple]
registry.add(Old)


@registry.add
class Loose(NamedTuple):
    x: int


class LooseWithState(Loose):
    pass


registry.add(LooseWithState)


@registry.add
@unique
class Grade(Enum):
    A = object()
    B = 2

    @classmethod
    def _missing_(cls, value: object) -> Grade:
        raise AssertionError("called by data")


@registry.add
class Bits(Flag):
    A = 1
    B = 2


@registry.add
class Linked(pydantic.BaseModel):
    url: pydantic.HttpUrl
    path: Path = Path("a")


def examples() -> Iterator[Any]:
    yield Nested(boxes=[Box({"m": [Inner(n=1), (Inner(),)]})])
    yield Aliased.model_validate({"FIRST_NAME": "a", "2": 3, "HIDDEN": "h"})
    yield Aliased.model_construct(first_name="a")
    yield Open.model_validate({"known": 1, "more": {1, 2}, "~tag": (1,), "extra": None})
    yield Open(known=1)
    private: Any = Private()
    private._count = 7
    private._made.append(1)
    yield private
    yield Picky.model_validate({"when": "2026-01-01"})
    yield Names(["a"])
    yield Pair[int](left=1)
    yield Pair[Inner](left=Inner(n=3))
    yield Checked(1)
    yield Frozen(1, [3])
    yield Computed(2, 3)
    yield Generous((1, 2))
    yield Old(1)
    yield Loose(1)
    yield from Grade
    yield from (Bits.A | Bits.B, Bits(0), ~Bits.A)
    yield Linked.model_validate({"url": "https://example.org"})
    wrong: Any = "not a number"
    yield Inner.model_construct(n=wrong)


@pytest.mark.parametrize("value", list(examples()), ids=lambda value: type(value).__name__)
def test_an_instance_comes_back_exactly_and_none_of_its_code_runs(value: Any) -> None:
    text = codec.dumps(value)
    calls = Computed.calls
    rebuilding.append(type(value).__name__)

    try:
        found = codec.loads(text)
    finally:
        rebuilding.clear()

    assert_same(found, value)
    assert found == value
    assert Computed.calls == calls


def test_cached_properties_are_computed_again() -> None:
    picky, computed = Picky.model_validate({"when": "2026-01-01"}), Computed(1, 1)
    assert (picky.year, computed.large) is not None

    found = codec.loads(codec.dumps([picky, computed]))

    assert "year" not in vars(found[0])
    assert "large" not in vars(found[1])
    assert found[0].year == 2026


def test_slots_that_are_no_fields_are_kept() -> None:
    found: Any = codec.loads(codec.dumps(Mangled(1, 2)))

    assert (found.a, found._Slotted__secret) == (1, 2)
    assert not hasattr(found, "rest")


def test_what_an_instance_has_beside_its_fields_is_kept() -> None:
    found = codec.loads(codec.dumps(Computed(1, 1)))

    assert found.extra == "not a field"
    assert not hasattr(found, "never")


def broken() -> Iterator[tuple[Any, str]]:
    private: Any = Private()
    private._made.append(object())
    yield private, "._made[0]"
    yield Inner.model_construct(n=object()), ".n"
    half: Any = Inner()
    del half.__dict__["n"]
    yield half, "has no value for its field 'n'"
    box = Box(1)
    del box.content
    yield box, "has no value for its field 'content'"
    frozen = Frozen(1)
    object.__delattr__(frozen, "b")
    yield frozen, "has no value for its field 'b'"
    loose: Any = LooseWithState(1)
    loose.more = 2
    yield loose, "more than the fields"
    open_model = Open.model_validate({"known": 1, "more": object()})
    yield open_model, ".more"


@pytest.mark.parametrize(("value", "says"), list(broken()), ids=lambda part: type(part).__name__)
def test_an_instance_that_cannot_come_back_exactly_is_refused(value: Any, says: str) -> None:
    with pytest.raises(CodecError) as caught:
        codec.dumps([value])

    assert says in str(caught.value)


def test_a_generic_model_is_not_mixed_up_with_another_of_its_kind() -> None:
    for pair in (Pair[int](left=1), Pair[str](left="a"), Pair[list[int] | None](left=[1])):
        assert_same(codec.loads(codec.dumps(pair)), pair)


def test_a_subclass_of_a_registered_class_comes_back_as_itself() -> None:
    class Child(Inner):
        more: int = 1

    assert_same(codec.loads(codec.dumps([Child(), Inner()])), [Child(), Inner()])


def renamed(text: str, newer: type) -> Any:
    """Read a stored value after its class was replaced by `newer`."""
    after = TypeRegistry()
    newer.__qualname__ = "Inner"
    newer.__module__ = __name__
    after.add(newer)
    return Codec(registry=after).loads(text)


def test_a_class_that_has_changed_drops_old_fields_and_fills_in_defaults() -> None:
    text = codec.dumps(Inner(n=5))

    class NewModel(pydantic.BaseModel):
        m: list[int] = pydantic.Field(default_factory=lambda: [1])
        _p: int = pydantic.PrivateAttr(default=2)

    @dataclass(slots=True)
    class NewDataclass:
        m: list[int] = field(default_factory=lambda: [1])
        k: int = 4

    class NewTuple(NamedTuple):
        m: int = 1

    model = renamed(text, NewModel)
    assert (model.m, model._p, model.model_fields_set) == ([1], 2, set())
    assert renamed(text, NewDataclass) == NewDataclass([1], 4)
    assert renamed(text, NewTuple) == NewTuple(1)


def test_a_new_field_without_a_default_is_an_error_that_names_it() -> None:
    text = codec.dumps(Inner(n=5))

    class NewModel(pydantic.BaseModel):
        required: int

    @dataclass
    class NewDataclass:
        required: int

    class NewTuple(NamedTuple):
        required: int

    for newer in (NewModel, NewDataclass, NewTuple):
        with pytest.raises(CodecError, match=r"requires 'required'.*give the new field a default"):
            renamed(text, newer)


def test_an_enum_without_the_member_is_an_error() -> None:
    with pytest.raises(CodecError, match="'C'"):
        codec.loads(codec.dumps(Grade.B).replace('"B"', '"C"'))
    with pytest.raises(CodecError):
        codec.loads(codec.dumps(Bits.A).replace("1,1", "64,1"))


def test_a_class_of_the_script_goes_by_the_name_of_its_file(tmp_path: Path) -> None:
    script = tmp_path / "flows.py"
    script.write_text(
        "from dataclasses import dataclass\n"
        "from penstock.publisher.codec.codec import Codec\n"
        "from penstock.publisher.codec.registry import register_type\n"
        "@register_type\n"
        "@dataclass\n"
        "class Order:\n"
        "    number: int\n"
        "print(Codec().dumps(Order(1)))\n"
    )

    found = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == '{"~record":["flows.Order",{"number":1}]}'


GENERICS = """
from typing import Annotated, Generic, Literal, Optional, TypeVar, Union
from pydantic import AfterValidator, BaseModel
from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.registry import register_type

T = TypeVar("T")
def checked(value):
    return value
class Item(BaseModel):
    x: int
@register_type
class Box(BaseModel, Generic[T]):
    content: T
boxes = [
    Box[Item | None], Box[list[Item]], Box[dict[str, Item | int]], Box[Union[Item, str]],
    Box[tuple[Item, ...]], Box[Annotated[Item, AfterValidator(checked)]], Box[Box[list[Item]]],
    Box[Literal["a"]], Box[Optional[list[Item]]],
]
"""


def test_a_generic_model_of_the_script_has_one_name_in_all_processes(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(
        f"{GENERICS}\nif __name__ == '__main__':\n"
        "    for box in boxes: print(Codec().dumps(box.model_construct(content=None)))\n"
    )
    reader = (
        "import sys; from flows import Codec, boxes\n"
        "for text, box in zip(sys.stdin, boxes, strict=True):\n"
        "    assert type(Codec().loads(text)) is box, text\n"
    )

    def python(*args: str, given: str = "") -> str:
        done = subprocess.run(
            [sys.executable, *args],
            input=given,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.stderr
        return done.stdout

    texts = python("flows.py")

    assert "__main__" not in texts and len(texts.splitlines()) == 9
    python("-c", reader, given=texts)


def test_a_generic_model_that_is_not_in_use_here_comes_back_as_the_class_it_is_made_of() -> None:
    text = codec.dumps(Pair[int](left=1)).replace("[builtins.int]", "[other.Thing]")

    found = codec.loads(text)

    assert type(found) is Pair and found.left == 1


class Shape(pydantic.BaseModel):
    name: str = ""


class Crate(Shape, Generic[T]):
    content: T


def test_a_generic_model_that_only_a_base_class_announces_is_found_too() -> None:
    announced = TypeRegistry()
    announced.add(Shape)
    text = codec_of(Crate).dumps(Crate[int](content=1)).replace("[builtins.int]", "[other.Thing]")

    found = Codec(registry=announced).loads(text)

    assert type(found) is Crate and found.content == 1


def test_a_generic_model_of_a_literal_that_looks_like_a_mark_comes_back() -> None:
    value = Crate[Literal["#1"]](content="#1")
    crates = codec_of(Crate[Literal["#1"]])

    assert_same(crates.loads(crates.dumps(value)), value)


def codec_of(cls: type) -> Codec:
    own = TypeRegistry()
    own.add(cls)
    return Codec(registry=own)
