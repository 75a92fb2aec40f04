"""A base for stores that answer many calls at once better than one by one."""

from __future__ import annotations

__all__ = ["AsyncBatchedBaseStore"]

import asyncio
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from penstock.runtime.store.item import Op, PutOp, Result
from penstock.runtime.store.store import BaseStore

Asked = list[tuple[Op, "asyncio.Future[Result]"]]


class AsyncBatchedBaseStore(BaseStore):
    """Collects the concurrent async calls of one tick of a loop into one `abatch`.

    Equal reads are made once. A cancelled caller does not affect the results of others.
    """

    def __init__(self) -> None:
        self._asked: WeakKeyDictionary[asyncio.AbstractEventLoop, Asked] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def _ask_one(self, op: Op) -> Result:
        loop = asyncio.get_running_loop()
        asked = self._asked.setdefault(loop, [])
        if not asked:
            loop.call_soon(self._begin, loop)
        future: asyncio.Future[Result] = loop.create_future()
        asked.append((op, future))
        return await future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        task = loop.create_task(self._answer(self._asked.pop(loop)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, asked: Asked) -> None:
        ops: list[Op] = []
        places = [_place(ops, op) for op, _ in asked]
        try:
            results = await self.abatch(ops)
        except (ValueError, TypeError) as error:  # an op is wrong, and which one is not known
            if len(asked) == 1:
                _fail(asked, error)
            else:
                await asyncio.gather(*(self._answer([each]) for each in asked))
        except BaseException as error:
            _fail(asked, error)
            if not isinstance(error, Exception):
                raise
        else:
            for place, (_, future) in zip(places, asked, strict=True):
                if not future.done():
                    future.set_result(results[place])


def _place(ops: list[Op], op: Op) -> int:
    """Return where an op is among those to be made; only reads are shared."""
    if not isinstance(op, PutOp):
        for place, other in enumerate(ops):
            if other == op:
                return place
    ops.append(op)
    return len(ops) - 1


def _fail(asked: Sequence[tuple[Op, asyncio.Future[Result]]], error: BaseException) -> None:
    for _, future in asked:
        if future.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
        else:
            future.set_exception(error)
