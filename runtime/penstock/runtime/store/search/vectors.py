"""Vectors of items as bytes, and exact cosine over them. The only file that needs numpy.

A blob is one row for each vector: its length as a little-endian uint32, then the vector at length 1
as float32. So rows of other lengths are noticed, and a cosine is a product.
"""

from __future__ import annotations

__all__ = ["Matrix", "MatrixCache", "pack", "ranked"]

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.publisher.errors import ConfigurationError
from penstock.runtime.store.keys import from_bytes
from penstock.runtime.store.plan import Vector

Floats = NDArray[np.float32]

CACHE = 256 * 1024 * 1024
"""Bytes of vectors that a store keeps in its process."""


def unit(vectors: Sequence[Vector]) -> Floats:
    """Return vectors at length 1, zero vectors as they are.

    Raises:
        ValueError: a number is not finite.
    """
    given = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(given).all():
        raise ValueError("embed returned a vector with a number that is not finite.")
    largest = np.abs(given).max(axis=1, keepdims=True)
    given = given / np.where(largest == 0, 1, largest)  # squares of large numbers have no room
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    units: Floats = (given / np.where(lengths == 0, 1, lengths)).astype("<f4")
    return units


def pack(vectors: Sequence[Vector]) -> bytes:
    """Return the blob of an item's vectors, which all have the same length.

    Raises:
        ValueError: a number is not finite.
    """
    units = unit(vectors)
    rows = np.empty((units.shape[0], units.shape[1] + 1), dtype="<f4")
    rows.view("<u4")[:, 0] = units.shape[1]
    rows[:, 1:] = units
    return rows.tobytes()


@dataclass(frozen=True, slots=True)
class Matrix:
    """The vectors of a namespace's items, at one version."""

    version: bytes
    keys: tuple[str, ...]
    rows: Floats
    starts: NDArray[np.intp]
    """For each key, the first of its rows."""

    @staticmethod
    def of(version: bytes, blobs: Mapping[bytes, bytes], dims: int) -> Matrix:
        """Read blobs.

        Raises:
            ConfigurationError: they are of another length.
        """
        keys = sorted(blobs)
        data = b"".join([blobs[key] for key in keys])
        size = (dims + 1) * 4
        counts = [len(blobs[key]) // size for key in keys]
        if sum(counts) * size != len(data) or 0 in counts:
            raise _other_dims(data, dims)
        table = np.frombuffer(data, dtype="<f4").reshape(-1, dims + 1)
        if (table.view("<u4")[:, 0] != dims).any():
            raise _other_dims(data, dims)
        starts = np.cumsum([0, *counts[:-1]], dtype=np.intp) if keys else np.empty(0, np.intp)
        rows = np.ascontiguousarray(table[:, 1:])
        return Matrix(version, tuple(map(from_bytes, keys)), rows, starts)

    def scores(self, query: Floats) -> Floats:
        """Return for each key the best cosine of its vectors with a query of length 1."""
        products: Floats = np.clip(self.rows @ query, -1, 1)
        if len(products) == len(self.keys):
            return products
        best: Floats = np.maximum.reduceat(products, self.starts)
        return best


def _other_dims(data: bytes, dims: int) -> ConfigurationError:
    stored = int.from_bytes(data[:4], "little")
    return ConfigurationError(
        f"the store's index has dims={dims}, and there are vectors of another length here "
        f"(one of {stored}): put their items again, or give the store a prefix of its own."
    )


def ranked(matrices: Sequence[Matrix], query: Vector) -> Iterator[tuple[int, str, float]]:
    """Give place of the matrix, key and score of all items, best first; ties by place and key."""
    direction = unit([query])[0]
    scores = [matrix.scores(direction) for matrix in matrices if matrix.keys]
    if not scores:
        return
    places = [(place, key) for place, matrix in enumerate(matrices) for key in matrix.keys]
    joined = np.concatenate(scores)
    for index in np.argsort(-joined, kind="stable"):
        yield (*places[index], float(joined[index]))


class MatrixCache:
    """The matrices used last, up to a size; safe to share between threads."""

    def __init__(self, limit: int = CACHE) -> None:
        self._limit = limit
        self._size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Matrix] = OrderedDict()

    def get(self, digest: str, version: bytes | None) -> Matrix | None:
        """Return a namespace's matrix if it is there at this version."""
        with self._lock:
            matrix = self._kept.get(digest)
            if matrix is None or matrix.version != version:
                return None
            self._kept.move_to_end(digest)
            return matrix

    def put(self, digest: str, matrix: Matrix) -> None:
        """Keep a matrix, in place of the ones that were not used for longest."""
        with self._lock:
            self._drop(digest)
            self._kept[digest] = matrix
            self._size += matrix.rows.nbytes
            while self._size > self._limit and self._kept:
                self._drop(next(iter(self._kept)))

    def _drop(self, digest: str) -> None:
        if old := self._kept.pop(digest, None):
            self._size -= old.rows.nbytes
