"""The index of items by meaning: the paths of their texts, and the user's embed function."""

from __future__ import annotations

__all__ = ["Embed", "Embeddings", "Index", "IndexConfig"]

import asyncio
import contextvars
import importlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, Protocol, TypeAlias, TypedDict, cast

from penstock.publisher.errors import ConfigurationError
from penstock.runtime.concurrency.patient_pool import PatientPool
from penstock.runtime.store.plan import Texts, Vector
from penstock.runtime.store.search.path import ROOT, Path, parse, texts_at


class Embeddings(Protocol):
    """An object that embeds; `aembed_documents` and `aembed_query` are used where it has them."""

    def embed_documents(self, texts: list[str], /) -> Sequence[Vector]:
        """Embed texts that are to be found."""
        ...

    def embed_query(self, text: str, /) -> Vector:
        """Embed a text to find others by."""
        ...


Embed: TypeAlias = Callable[[list[str]], Sequence[Vector] | Awaitable[Sequence[Vector]]]


class IndexConfig(TypedDict):
    """How items are made searchable by meaning."""

    dims: int
    """Length of the vectors."""
    embed: Embed | Embeddings | str
    """Texts to vectors: a function, an async one, an object, or LangChain's name of a model."""
    fields: NotRequired[list[str] | None]
    """Paths to the texts of an item (default: the whole value); see `path.py`."""


@dataclass(frozen=True, slots=True)
class Index:
    """An `IndexConfig` that was read."""

    dims: int
    embed: Embed | Embeddings
    paths: tuple[Path, ...]

    @staticmethod
    def of(config: IndexConfig | None) -> Index | None:
        """Read a config.

        Raises:
            ConfigurationError: it cannot be read, or numpy is not there.
        """
        if config is None:
            return None
        given = cast("Mapping[str, Any]", config)
        unknown = given.keys() - {"dims", "embed", "fields"}
        if unknown:
            raise ConfigurationError(
                f"the index config has no {min(unknown)!r}; it has dims, embed, fields."
            )
        dims = given.get("dims")
        if type(dims) is not int or dims < 1:
            raise ConfigurationError(
                f"dims of an index is the length of its vectors, not {dims!r}."
            )
        _require_numpy()
        fields = given.get("fields") or [ROOT]
        try:
            return Index(dims, _embedder(given.get("embed")), tuple(map(parse, fields)))
        except ValueError as error:
            raise ConfigurationError(f"fields of an index: {error}") from error

    def texts(self, value: Any, index: Literal[False] | Sequence[str] | None) -> list[str]:
        """Return the texts of a value, at the paths of its own if it has some.

        Raises:
            ValueError: a path cannot be read.
        """
        if index is False:
            return []
        paths = self.paths if index is None else map(parse, index)
        return [text for path in paths for text in texts_at(value, path)]

    def vectors(self, request: Texts) -> list[Vector]:
        """Embed texts in this thread."""
        answer = self._ask(request, prefer_async=False)
        vectors = _wait(answer) if inspect.isawaitable(answer) else answer
        return self._checked(request, vectors)

    async def avectors(self, request: Texts) -> list[Vector]:
        """Embed texts on the running loop; what is not async runs in a thread."""
        if self._is_async(request):
            answer = self._ask(request, prefer_async=True)
        else:
            answer = await asyncio.to_thread(self._ask, request, prefer_async=False)
        vectors = await answer if inspect.isawaitable(answer) else answer
        return self._checked(request, vectors)

    def _is_async(self, request: Texts) -> bool:
        embed = self.embed
        if hasattr(embed, "embed_documents"):
            return hasattr(embed, "aembed_query" if request.query else "aembed_documents")
        return inspect.iscoroutinefunction(embed) or inspect.iscoroutinefunction(
            getattr(embed, "__call__", None)  # noqa: B004 - is the call async, not is there one
        )

    def _ask(self, request: Texts, *, prefer_async: bool) -> Any:
        embed: Any = self.embed
        if not hasattr(embed, "embed_documents"):
            return embed(list(request.texts))
        name = "embed_query" if request.query else "embed_documents"
        method = getattr(embed, f"a{name}" if prefer_async else name)
        if not request.query:
            return method(list(request.texts))
        answers = [method(text) for text in request.texts]
        return _gathered(answers) if prefer_async else answers

    def _checked(self, request: Texts, answer: Any) -> list[Vector]:
        vectors: list[Vector] = list(answer)
        if len(vectors) != len(request.texts):
            raise ValueError(
                f"embed was given {len(request.texts)} texts and returned {len(vectors)} vectors."
            )
        for vector in vectors:
            if len(vector) != self.dims:
                raise ValueError(
                    f"embed returned a vector of {len(vector)} numbers; "
                    f"the index is set to dims={self.dims}."
                )
        return vectors


def _embedder(embed: Any) -> Embed | Embeddings:
    if isinstance(embed, str):
        try:
            return cast(
                Embeddings, importlib.import_module("langchain.embeddings").init_embeddings(embed)
            )
        except ImportError as error:
            raise ConfigurationError(
                f"embed={embed!r} is a name of LangChain, which is not installed: "
                "install it, or give a function from texts to vectors."
            ) from error
    if callable(embed) or hasattr(embed, "embed_documents"):
        return cast("Embed | Embeddings", embed)
    raise ConfigurationError(
        f"embed of an index is a function from texts to vectors, not {embed!r}."
    )


def _require_numpy() -> None:
    try:
        importlib.import_module("numpy")
    except ImportError as error:
        raise ConfigurationError(
            "semantic search needs numpy: pip install 'penstock[semantic]'"
        ) from error


async def _gathered(answers: list[Awaitable[Vector]]) -> list[Vector]:
    return list(await asyncio.gather(*answers))


def _wait(answer: Awaitable[Any]) -> Any:
    """Wait for an async embed function from sync code, in a thread if this one has a loop."""

    async def body() -> Any:
        return await answer

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(coroutine)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run(body())
    with PatientPool(1, "penstock-embedding") as pool:
        return pool.submit(contextvars.copy_context().run, run, body()).result()
