"""Annotation: which classes the annotations of a function mention, however deep."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

__all__ = ["Mentions", "hints_of", "names_beside"]

_NAME = re.compile(r"[^\W\d]\w*")


class Mentions:
    """Collects classes, and the texts of annotations in which a name has no meaning yet.

    Nothing here raises: an annotation may be anything, and one that cannot be understood only
    means that its types have to be registered by hand.
    """

    def __init__(self) -> None:
        self.classes: list[type] = []
        self.unresolved: list[str] = []
        self._seen: list[Any] = []  # keeps them alive too, so that an id stays theirs
        self._ids: set[int] = set()

    def add_function(self, function: Any) -> None:
        """Walk the parameters and the result of anything that can be called."""
        target = _function_behind(function)
        if isinstance(target, type):
            self.add(target)
        else:
            self._add_all(self._hints(target, _closure(target)))

    def add(self, annotation: Any) -> None:
        """Walk one annotation: what it is made of, and the fields of classes in it."""
        if id(annotation) in self._ids:
            return
        self._ids.add(id(annotation))
        self._seen.append(annotation)
        for part in _parts(annotation):
            self.add(part)
        if inspect.isclass(annotation) and typing.get_origin(annotation) is None:
            self._add_class(annotation)
        elif isinstance(annotation, str):
            self.unresolved.append(annotation)
        elif isinstance(annotation, typing.ForwardRef):
            self.unresolved.append(annotation.__forward_arg__)

    def _add_class(self, cls: type) -> None:
        self.classes.append(cls)
        model = _as_model(cls)
        if model is not None:
            self._add_all(field.annotation for field in model.model_fields.values())
            self._add_all(_generic_arguments(model))
        if model is not None or _has_fields(cls):
            self._add_all(self._hints(cls, {}))

    def _add_all(self, annotations: Iterable[Any]) -> None:
        for annotation in annotations:
            self.add(annotation)

    def _hints(self, owner: Any, local: Mapping[str, Any]) -> list[Any]:
        hints, unresolved = _hints_of(owner, local)
        self.unresolved += unresolved
        return list(hints.values())


def hints_of(function: Any, local: Mapping[str, Any]) -> dict[str, Any]:
    """Return the annotations of anything that can be called, but for those without a meaning yet.

    `local` is what `names_beside` has found as the function was declared.
    """
    return _hints_of(_function_behind(function), local)[0]


def names_beside(function: Any) -> dict[str, Any]:
    """Return the names in a function's annotations that only mean something where it was defined.

    As those of classes defined in the same function: call this while that one is at work.
    """
    target = _function_behind(function)
    texts = [text for text in _raw_annotations(target).values() if isinstance(text, str)]
    if not texts:
        return {}
    wanted = set(_NAME.findall(" ".join(texts)))
    return {name: value for name, value in _closure(target).items() if name in wanted}


def _hints_of(owner: Any, local: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return annotations by name, and the texts of those that have no meaning yet."""
    try:
        return typing.get_type_hints(owner, localns=dict(local) or None, include_extras=True), []
    except Exception:  # what an annotation runs into; it spoils all: ask for each alone
        return _hints_one_by_one(owner, local)


def _hints_one_by_one(owner: Any, local: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    hints: dict[str, Any] = {}
    raw = _raw_annotations(owner)
    for name, annotation in raw.items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        with contextlib.suppress(Exception):  # whatever the text runs into
            hints |= typing.get_type_hints(alone, _globals(owner), dict(local), include_extras=True)
    return hints, [str(raw[name]) for name in raw.keys() - hints.keys() if _is_text(raw[name])]


def _is_text(annotation: Any) -> bool:
    return type(annotation) is str


def _function_behind(function: Any) -> Any:
    """The plain function (or class) inside partials, methods, wrappers and callable objects."""
    for _ in range(20):
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            break
    if isinstance(function, (type, types.FunctionType)) or not callable(function):
        return function
    return getattr(type(function), "__call__", function)  # noqa: B004 (the method is wanted)


def _parts(annotation: Any) -> Iterable[Any]:
    """What an annotation is made of: arguments, bounds, the type behind a name."""
    if isinstance(annotation, (list, tuple)):  # the arguments of Callable[[...], ...]
        yield from typing.cast("Iterable[Any]", annotation)
        return
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        yield from (type(value) for value in typing.get_args(annotation))
        return
    if origin is not None:
        yield origin
    yield from (part for part in typing.get_args(annotation) if not isinstance(part, str))
    for name in ("__supertype__", "__value__", "__bound__"):  # NewType, `type X = ...`, TypeVar
        yield _attribute(annotation, name)
    yield from _attribute(annotation, "__constraints__") or ()


def _attribute(annotation: Any, name: str) -> Any:
    if isinstance(annotation, type):
        return None
    try:
        return getattr(annotation, name, None)
    except Exception:  # of an object's own __getattr__: an annotation may be any object
        return None


def _as_model(cls: type) -> type[BaseModel] | None:
    return cls if issubclass(cls, BaseModel) else None


def _has_fields(cls: type) -> bool:
    named_tuple = tuple in cls.__mro__ and hasattr(cls, "_fields")
    return named_tuple or hasattr(cls, "__dataclass_fields__") or typing.is_typeddict(cls)


def _generic_arguments(cls: type[BaseModel]) -> Iterable[Any]:
    metadata = cls.__pydantic_generic_metadata__
    return (metadata["origin"], *metadata["args"])


def _closure(function: Any) -> dict[str, Any]:
    """Names that a function can see beside the global ones, such as a class defined beside it."""
    found = _defining(function)
    with contextlib.suppress(TypeError, ValueError):  # no function, or a cell is still empty
        found |= inspect.getclosurevars(function).nonlocals
    return found


def _defining(function: Any) -> dict[str, Any]:
    """The local names of the function that is just defining this one."""
    code, frame = getattr(function, "__code__", None), inspect.currentframe()
    while frame is not None:
        if code is not None and any(each is code for each in frame.f_code.co_consts):
            return dict(frame.f_locals) if frame.f_locals is not frame.f_globals else {}
        frame = frame.f_back
    return {}


def _globals(owner: Any) -> dict[str, Any]:
    found = getattr(owner, "__globals__", None)
    if found is None:
        found = vars(inspect.getmodule(owner) or typing)
    return dict(found)


def _raw_annotations(owner: Any) -> dict[str, Any]:
    try:
        return dict(inspect.get_annotations(owner))
    except Exception:  # of an object's own __getattribute__, or from Python 3.14 on of the text
        return {}
