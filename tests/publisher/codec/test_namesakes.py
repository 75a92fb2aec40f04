"""Classes that have one name: told apart, or refused, and never mixed."""

from __future__ import annotations

import collections
import gc
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from enum import Enum
from types import ModuleType
from typing import Any

import pydantic
import pytest
from pydantic import create_model

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.fingerprint import fingerprint
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.errors import CodecError


def models() -> tuple[Any, Any]:
    text = create_model("Answer", text=(str, "nothing"))
    score = create_model("Answer", score=(int, 0))
    return text(text="hello"), score(score=5)


def defaults() -> tuple[Any, Any]:
    one, two = create_model("Answer", text=(str, "a")), create_model("Answer", text=(str, "b"))
    return one(), two()


def dataclasses_() -> tuple[Any, Any]:
    one, two = make_dataclass("Out", [("a", int)]), make_dataclass("Out", [("a", str)])
    return one(1), two("x")


def named_tuples() -> tuple[Any, Any]:
    made: Any = collections.namedtuple
    return made("Point", "x y")(1, 2), made("Point", "x z")(1, 2)


def enums() -> tuple[Any, Any]:
    made: Any = Enum
    return made("Colour", {"RED": 1}).RED, made("Colour", {"RED": 2}).RED


def captured() -> tuple[Any, Any]:
    def make(unit: str) -> Any:
        @dataclass
        class Weight:
            value: int

            def __str__(self) -> str:
                return f"{self.value} {unit}"

        return Weight(1)

    return make("kg"), make("lb")


def code() -> tuple[Any, Any]:
    def one() -> Any:
        class Price(pydantic.BaseModel):
            net: int = 1

            def gross(self) -> int:
                return self.net * 2

        return Price()

    def two() -> Any:
        class Price(pydantic.BaseModel):
            net: int = 1

            def gross(self) -> int:
                return self.net * 3

        Price.__qualname__ = type(first).__qualname__
        return Price()

    first = one()
    return first, two()


def inner() -> tuple[Any, Any]:
    def make(part: Any) -> Any:
        optional: Any = part | None
        return create_model("Outer", part=(optional, None))()

    one, two = models()
    return make(type(one)), make(type(two))


def registry_of(*values: Any) -> TypeRegistry:
    registry = TypeRegistry()
    for value in values:
        registry.add(value.__class__)
    return registry


PAIRS: list[Callable[[], tuple[Any, Any]]] = [
    models,
    defaults,
    dataclasses_,
    named_tuples,
    enums,
    captured,
    code,
    inner,
]


@pytest.mark.parametrize("make", PAIRS)
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "the other way round"])
def test_classes_of_one_name_are_told_apart_in_every_process(
    make: Callable[[], tuple[Any, Any]], order: int
) -> None:
    values = list(make())
    writer, reader = registry_of(*values), registry_of(*values[::order])

    found = Codec(registry=reader).loads(Codec(registry=writer).dumps(values))

    assert [type(each) for each in found] == [type(each) for each in values]
    assert list(map(str, found)) == list(map(str, values))


def test_what_was_written_before_there_were_two_is_told_by_its_fields() -> None:
    text, score = models()
    written = Codec(registry=registry_of(text)).dumps(text)
    both = registry_of(text, score)

    assert type(Codec(registry=both).loads(written)) is type(text)


def test_what_may_be_of_either_is_refused() -> None:
    kg, lb = captured()
    written = Codec(registry=registry_of(kg)).dumps(kg)
    both = registry_of(kg, lb)

    with pytest.raises(CodecError, match=r"2 classes are called '.*Weight'.*a name of its own"):
        Codec(registry=both).loads(written)


def test_one_of_two_is_not_taken_for_the_one_that_is_known_here() -> None:
    text, score = models()
    both, alone = registry_of(text, score), registry_of(score)

    found = Codec(registry=alone).loads(Codec(registry=both).dumps([text, score]))

    assert found == [{"text": "hello"}, score]


def test_a_class_that_the_same_lines_have_made_again_is_the_same() -> None:
    def define() -> Any:
        @dataclass
        class Twice:
            n: int
            more: list[int] = field(default_factory=list[int])

        return Twice

    older, newer = define(), define()
    registry = TypeRegistry()
    registry.add(older)
    registry.add(newer)
    codec = Codec(registry=registry)

    assert '["tests.' in codec.dumps(older(1)) and "#" not in codec.dumps(older(1))
    assert codec.loads(codec.dumps(older(1))) == newer(1)


def test_of_a_class_and_its_new_version_in_the_module_old_values_come_back_as_the_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", module)
    source = (
        "class Item:\n    n: int\n    def twice(self): return self.n * {}\nItem = dataclass(Item)"
    )
    registry = TypeRegistry()
    codec = Codec(registry=registry)
    vars(module)["dataclass"] = dataclass
    exec(source.format(2), vars(module))
    registry.add(vars(module)["Item"])
    written = codec.dumps(vars(module)["Item"](3))

    exec(source.format(20), vars(module))
    registry.add(vars(module)["Item"])

    assert codec.loads(written).twice() == 60


def local_class(size: int) -> Any:
    class Local:
        def area(self) -> int:
            return size * later

    later: int
    if size > 5:
        later = size
    return Local


def test_a_fingerprint_is_remembered_as_long_as_the_class_lives() -> None:
    cls = local_class(7)
    first = fingerprint(cls)
    cls.perimeter = local_class(8).area

    assert fingerprint(cls) == first
    assert fingerprint(local_class(8)) != first

    reference = weakref.ref(cls)
    del cls
    gc.collect()
    assert reference() is None


def test_a_fingerprint_of_a_class_that_is_not_complete_is_not_remembered() -> None:
    cls = local_class(1)
    first = fingerprint(cls)

    cls.area.__closure__[0].cell_contents = 5

    assert fingerprint(cls) != first
