"""Record: how values of a registered class are taken apart and put together again.

Both work on the state of the instance, as `copy` does, and run none of the class's own code: no
`__init__`, no `__post_init__`, no validator (many a validator cannot take its own result). So a
value comes back exactly, even one that its own class would refuse today, and text from Redis
cannot make a class do anything. Where the class has changed since, fields that it has lost are
dropped and new ones get their default; one without a default is an error.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Iterable
from enum import Enum, Flag
from functools import cached_property, partial
from typing import Any, Protocol

from pydantic import BaseModel, RootModel
from pydantic_core import PydanticUndefined

from penstock.publisher.codec.known import is_known
from penstock.publisher.codec.naming import name_of
from penstock.publisher.codec.refusal import Refusal

__all__ = [
    "Enumeration",
    "Record",
    "attributes_of",
    "is_made_in_python",
    "is_pure",
    "record_of",
    "slots_of",
]

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


class Record(Protocol):
    """Values of one class, as their fields and whatever else they carry (`more`)."""

    name: str
    """What the class is called in stored text."""

    @property
    def names(self) -> Iterable[str]:
        """The names of the fields."""
        ...

    def take(self, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the fields of `value` and the rest of its state, or raise `Refusal`."""
        ...

    def build(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        """Put a value together again."""
        ...


class _Model:
    """Instances of a pydantic model: with extras, private attributes and which fields were set."""

    def __init__(self, cls: type[BaseModel]) -> None:
        self.name = name_of(cls)
        self._cls = cls
        self._base: Any = RootModel if issubclass(cls, RootModel) else BaseModel

    @property
    def names(self) -> Iterable[str]:
        return self._cls.model_fields

    def take(self, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        state: dict[str, Any] = self._base.__getstate__(value)
        names = self._cls.model_fields
        inside: dict[str, Any] = state["__dict__"]
        if missing := [name for name in names if name not in inside]:
            raise Refusal(f"has no value for its field {missing[0]!r}", value)
        fields = {name: inside[name] for name in names}
        more = _rest(self._cls, inside, names)
        chosen: set[str] = state["__pydantic_fields_set__"]
        if chosen != names.keys():
            more["set"] = sorted(chosen)
        if extra := state.get("__pydantic_extra__"):
            more["extra"] = extra
        if private := state.get("__pydantic_private__"):
            more["private"] = private
        return fields, more

    def build(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        known = self._cls.model_fields
        kept = {name: value for name, value in fields.items() if name in known}
        chosen: set[str] = set(more.get("set", kept))
        for name, field in known.items():
            if name in kept:
                continue
            if field.is_required():
                raise _lacks(self._cls, name)
            kept[name] = field.get_default(call_default_factory=True)
        value = self._cls.__new__(self._cls)
        self._base.__setstate__(
            value,
            {
                "__dict__": {**{name: kept[name] for name in known}, **more.get("state", {})},
                "__pydantic_fields_set__": chosen,
                "__pydantic_extra__": self._extra(more),
                "__pydantic_private__": self._private(more),
            },
        )
        return value

    def _extra(self, more: dict[str, Any]) -> dict[str, Any] | None:
        if self._cls.model_config.get("extra") != "allow":
            return None
        return dict(more.get("extra", {}))

    def _private(self, more: dict[str, Any]) -> dict[str, Any] | None:
        attributes = self._cls.__private_attributes__
        if not attributes:
            return None
        private: dict[str, Any] = dict(more.get("private", {}))
        for name, attribute in attributes.items():
            if name not in private:
                private[name] = attribute.get_default()
        return {name: value for name, value in private.items() if value is not PydanticUndefined}


class _Dataclass:
    """Instances of a dataclass: its fields and any other attribute, slots included."""

    def __init__(self, cls: type) -> None:
        self.name = name_of(cls)
        self._cls = cls
        self._slots = frozenset(slots_of(cls))
        self._new: Any = partial(object.__new__, cls)
        self.names = tuple(field.name for field in dataclasses.fields(cls))
        self._made = {
            field.name: field for field in dataclasses.fields(cls) if self._has_own(field)
        }

    def take(self, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        inside = attributes_of(value, self._slots)
        if missing := [name for name in self._made if name not in inside]:
            raise Refusal(f"has no value for its field {missing[0]!r}", value)
        fields = {name: inside[name] for name in self.names if name in inside}
        return fields, _rest(self._cls, inside, self.names)

    def build(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        value = self._new()
        state = {name: item for name, item in fields.items() if name in self.names}
        for name, field in self._made.items():
            if name not in state:
                state[name] = _default(self._cls, field)
        for name, item in {**state, **more.get("state", {})}.items():
            if name in self._slots:
                object.__setattr__(value, name, item)
            else:
                object.__getattribute__(value, "__dict__")[name] = item
        return value

    def _has_own(self, field: dataclasses.Field[Any]) -> bool:
        """Whether `__init__` gives each instance a value of its own for this field."""
        made = field.init or field.default_factory is not dataclasses.MISSING
        return made and (field.name in self._slots or not hasattr(self._cls, field.name))


class _NamedTuple:
    """Instances of a named tuple, whether made by `typing.NamedTuple` or `collections`."""

    def __init__(self, cls: Any) -> None:
        self.name = name_of(cls)
        self._cls = cls
        self.names: tuple[str, ...] = cls._fields
        self._defaults: dict[str, Any] = getattr(cls, "_field_defaults", {})

    def take(self, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if attributes_of(value, ()) or len(value) != len(self.names):
            raise Refusal("has more than the fields of its named tuple", value)
        return dict(zip(self.names, value, strict=True)), {}

    def build(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        for name in self.names:
            if name not in fields and name not in self._defaults:
                raise _lacks(self._cls, name)
        values = [fields.get(name, self._defaults.get(name)) for name in self.names]
        return tuple.__new__(self._cls, values)


class _Text:
    """Instances of a class of text that adds methods and no state."""

    names = ("text",)

    def __init__(self, cls: type[str]) -> None:
        self.name = name_of(cls)
        self._cls = cls

    def take(self, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"text": str.__str__(value)}, {}

    def build(self, fields: dict[str, Any], more: dict[str, Any]) -> Any:
        return str.__new__(self._cls, fields["text"])


class Enumeration:
    """Members of an enum by name; those of a flag by their bits, as unions have no name."""

    names = None

    def __init__(self, cls: type[Enum]) -> None:
        self.name = name_of(cls)
        self._cls = cls
        self._by_bits = issubclass(cls, Flag)

    def take(self, value: Any) -> str | int:
        """Return what identifies the member, or raise `Refusal`."""
        if self._by_bits:
            return int(value.value)
        if type(value).__members__.get(value.name) is not value:
            raise Refusal("is not one of the members of its enum", value)
        return str(value.name)

    def build(self, member: Any) -> Any:
        """Return the member."""
        if not self._by_bits:
            return self._cls.__members__[member]
        value = self._cls(member) if type(member) is int else None
        if not isinstance(value, self._cls):
            raise ValueError(f"{member!r} is not a combination of {self._cls.__qualname__}")
        return value


def record_of(cls: type[Any]) -> Record | Enumeration | None:
    """How to take values of `cls` apart, or None if that cannot be done exactly."""
    bases = cls.__mro__
    if Enum in bases:
        return Enumeration(cls)
    if BaseModel in bases:
        return _Model(cls)
    if tuple in bases and isinstance(getattr(cls, "_fields", None), tuple):
        return _NamedTuple(cls)
    if hasattr(cls, "__dataclass_fields__") and is_pure(cls):
        return _Dataclass(cls)
    return _Text(cls) if str in bases and is_known(cls) and not cls.__dictoffset__ else None


def is_made_in_python(cls: type) -> bool:
    """Whether a class was made by a class statement, not in C."""
    return bool(cls.__flags__ & _HEAP_TYPE)


def is_pure(cls: type) -> bool:
    """Whether all of an instance's state is in attributes, none in C (as that of a dict is)."""
    if next(base for base in cls.__mro__ if not is_made_in_python(base)) is not object:
        return False
    roots = [vars(base) for base in cls.__mro__ if base.__base__ is object]
    return all("__dict__" in root or "__slots__" in root for root in roots)


def _rest(cls: type, inside: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """What an instance has beside its fields; cached properties are computed again instead."""
    rest = {
        name: value
        for name, value in inside.items()
        if name not in names
        and not isinstance(inspect.getattr_static(cls, name, None), cached_property)
    }
    return {"state": rest} if rest else {}


def _default(cls: type, field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    raise _lacks(cls, field.name)


def _lacks(cls: type, name: str) -> ValueError:
    return ValueError(
        f"{cls.__qualname__} requires {name!r}, which the stored value does not have: "
        "give the new field a default"
    )


def attributes_of(value: object, slots: Iterable[str]) -> dict[str, Any]:
    """Every attribute an instance has, without asking its class's own `__getattr__`."""
    found: dict[str, Any] = {}
    with contextlib.suppress(AttributeError):
        found.update(object.__getattribute__(value, "__dict__"))
    for name in slots:
        with contextlib.suppress(AttributeError):
            found[name] = object.__getattribute__(value, name)
    return found


def slots_of(cls: type) -> Iterable[str]:
    """The attributes of a class's instances that are in slots."""
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            if name.startswith("__") and not name.endswith("__"):
                yield f"_{base.__name__.lstrip('_')}{name}"
            elif name not in ("__dict__", "__weakref__"):
                yield name
