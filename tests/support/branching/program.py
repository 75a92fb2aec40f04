"""Random programs whose branches wait beside branches that work, as async workflows.

A program is a tree of JSON, so that it can be a run's input. Leaves are ["step", ms],
["tidy", ms, ms after a cancel], ["stubborn", ms, ms after a cancel], ["thread", ms], ["ask"] in the
branch itself, ["askstep"] by a step, ["limited", naps], ["nap", naps], ["flaky", times],
["remote"], ["fail", ms]; the other nodes are named by functions of this file. Each node has a
place, its path in the tree: it is the text of its question and the value of its step. A run's
input is the tree and how many seconds a nap takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.runtime import asleep, entrypoint, interrupt, sleep, task
from tests.support.branching import steps
from tests.support.branching.steps import PlannedError, remote
from tests.support.branching.trace import asks, begin_attempt, doubtful, known, lost, waits

Tree = list[Any]

CAUGHT: Final = "caught"
SLEPT: Final = "slept"
TIMEOUT: Final = "timeout"


@entrypoint()
async def branching(given: dict[str, Any]) -> Any:
    """Run a program."""
    begin_attempt()
    return await Node(given["tree"], "p", given["nap"]).run()


@entrypoint()
async def child(given: dict[str, Any]) -> Any:
    """Run a part of a program as an entrypoint of its own."""
    return await Node(given["tree"], given["place"], given["nap"]).run()


@task
async def inner(tree: Tree, place: str, nap: float) -> Any:
    """Run a part of a program as a step."""
    return await Node(tree, place, nap).run()


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a program, where it stands, and how many seconds a nap takes."""

    tree: Tree
    place: str
    nap: float

    @property
    def kind(self) -> str:
        return str(self.tree[0])

    def parts(self) -> list[Node]:
        """The nodes below this one."""
        trees: list[Tree] = self.tree[-1]
        return [Node(tree, f"{self.place}.{n}", self.nap) for n, tree in enumerate(trees)]

    async def run(self) -> Any:
        """Do what the node says; returns its value."""
        value = await (LEAVES.get(self.kind) or NODES[self.kind])(self)
        return value if self.kind == "ask" else known(self.place, value)


# -- leaves -------------------------------------------------------------------------------------


async def _step(node: Node) -> str:
    return await steps.step(node.place, node.tree[1])


async def _tidy(node: Node) -> str:
    return await steps.tidy(node.place, *node.tree[1:])


async def _stubborn(node: Node) -> str:
    """Get the value also where the branch was cancelled, and end then as it is told to."""
    value = await steps.stubborn(node.place, *node.tree[1:])
    branch = asyncio.current_task()
    if branch is not None and branch.cancelling():
        known(node.place, value)
        raise asyncio.CancelledError
    return value


async def _thread(node: Node) -> str:
    return await steps.thread(node.place, node.tree[1])


async def _ask(node: Node) -> str:
    return str(known(node.place, interrupt(asks(node.place))))


async def _askstep(node: Node) -> str:
    return await steps.ask(node.place)


async def _limited(node: Node) -> str:
    waits(node.place)
    return await steps.limited(node.place, node.tree[1] * node.nap)


async def _nap(node: Node) -> str:
    waits(node.place)
    await asleep(node.tree[1] * node.nap)
    return SLEPT


async def _flaky(node: Node) -> str:
    waits(node.place)
    return await steps.flaky(node.place, node.tree[1])


async def _remote(node: Node) -> str:
    waits(node.place)
    return await remote(node.place)


async def _fail(node: Node) -> None:
    await steps.failing(node.place, node.tree[1])


# -- one thing after another --------------------------------------------------------------------


async def in_a_step(node: Node) -> Any:
    part = node.parts()[0]
    return await inner(part.tree, part.place, part.nap)


async def in_an_entrypoint(node: Node) -> Any:
    part = node.parts()[0]
    return await child.ainvoke({"tree": part.tree, "place": part.place, "nap": part.nap})


async def seq(node: Node) -> list[Any]:
    return [await part.run() for part in node.parts()]


async def catch(node: Node) -> Any:
    try:
        return await node.parts()[0].run()
    except PlannedError:
        return CAUGHT


async def in_a_thread(node: Node) -> list[str]:
    """Run leaves one after the other in a thread of the body's own."""
    return await asyncio.to_thread(lambda: [_in_thread(part) for part in node.parts()])


def _in_thread(node: Node) -> str:
    match node.kind:
        case "ask":
            return str(known(node.place, interrupt(asks(node.place))))
        case "nap":
            waits(node.place)
            sleep(node.tree[1] * node.nap)
            return str(known(node.place, SLEPT))
        case _:
            return str(known(node.place, steps.thread(node.place, node.tree[1]).result()))


# -- branches -----------------------------------------------------------------------------------


async def gather(node: Node) -> list[Any]:
    try:
        return list(await asyncio.gather(*(part.run() for part in node.parts())))
    except PlannedError:
        doubtful(node.place)
        raise


async def group(node: Node) -> list[Any]:
    try:
        async with asyncio.TaskGroup() as tasks:
            begun = [tasks.create_task(part.run()) for part in node.parts()]
    except* PlannedError:
        lost(node.place)
        raise PlannedError(node.place) from None
    return [each.result() for each in begun]


async def race(node: Node) -> list[Any]:
    """Return the number of the branch that was first, and its value."""
    parts = node.parts()
    begun = [asyncio.ensure_future(part.run()) for part in parts]
    try:
        done, pending = await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        for each in begun:  # else they would go on, and ask, with nobody to hear of it
            each.cancel()
        raise
    for part, each in zip(parts, begun, strict=True):
        if each in pending:
            each.cancel()
            lost(part.place)
    if node.tree[1]:
        await asyncio.gather(*pending, return_exceptions=True)
    first = next(number for number, each in enumerate(begun) if each in done)
    return [first, begun[first].result()]


async def fill(node: Node) -> list[Any]:
    """Fill a dict as branches finish, and give it to a step."""
    found: dict[str, Any] = {}

    async def one(part: Node) -> None:
        found[part.place] = await part.run()

    await _whole(node, [one(part) for part in node.parts()])
    return [list(found), found, await steps.join(f"{node.place}.join", found)]


async def complete(node: Node) -> list[Any]:
    """Go on with whatever is complete first, by a step of its own."""
    begun = [asyncio.ensure_future(_numbered(n, part)) for n, part in enumerate(node.parts())]
    found: list[list[Any]] = []
    try:
        for each in asyncio.as_completed(begun):
            number, value = await each
            await steps.step(f"{node.place}.then{len(found)}.{number}", 5)
            found.append([number, value])
    except PlannedError:
        doubtful(node.place)
        raise
    except asyncio.CancelledError:
        for each in begun:  # else they would go on, and ask, with nobody to hear of it
            each.cancel()
        raise
    return found


async def _numbered(number: int, part: Node) -> tuple[int, Any]:
    return number, await part.run()


async def pool(node: Node) -> list[Any]:
    """Let consumers share a queue; returns who was done with what, in that order."""
    queue: asyncio.Queue[tuple[int, Node]] = asyncio.Queue()
    for item in enumerate(node.parts()):
        queue.put_nowait(item)
    found: list[list[Any]] = []

    async def consume() -> None:
        while not queue.empty():
            number, part = queue.get_nowait()
            found.append([number, await part.run()])

    await _whole(node, [consume() for _ in range(node.tree[1])])
    return [found, await steps.join(f"{node.place}.join", [number for number, _ in found])]


async def limited_by(node: Node) -> list[Any]:
    """Let so many branches on at a time."""
    free = asyncio.Semaphore(node.tree[1])

    async def one(part: Node) -> Any:
        async with free:
            return await part.run()

    return await _whole(node, [one(part) for part in node.parts()])


async def event(node: Node) -> list[Any]:
    """Let the other branches go on when the first one has come to its end."""
    first, *others = node.parts()
    is_set = asyncio.Event()

    async def setting() -> Any:
        try:
            value = await first.run()
        except PlannedError:
            is_set.set()
            raise
        is_set.set()
        return value

    async def waiting(part: Node) -> Any:
        await is_set.wait()
        return await part.run()

    return await _whole(node, [waiting(part) for part in others] + [setting()])


async def votes(node: Node) -> list[Any]:
    """Wait until so many branches have come to their end, and cancel the others."""
    counted: list[list[Any]] = []
    changed = asyncio.Condition()
    failed: list[PlannedError] = []

    async def vote(number: int, part: Node) -> None:
        try:
            value = await part.run()
            async with changed:
                counted.append([number, value])
                changed.notify_all()
        except PlannedError as error:
            failed.append(error)
            async with changed:
                changed.notify_all()

    begun = [asyncio.create_task(vote(n, part)) for n, part in enumerate(node.parts())]
    try:
        async with changed:
            await changed.wait_for(lambda: failed or len(counted) >= node.tree[1])
    except asyncio.CancelledError:
        for each in begun:  # else they would go on, and ask, with nobody to hear of it
            each.cancel()
        raise
    for part, each in zip(node.parts(), begun, strict=True):
        if each.cancel():
            lost(part.place)
    if failed:
        raise failed[0]
    return counted[: node.tree[1]]


async def pipe(node: Node) -> Any:
    """Hand the values of branches on to a step."""
    return await steps.join(f"{node.place}.join", await gather(node))


async def _whole(node: Node, branches: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    try:
        return list(await asyncio.gather(*branches))
    except PlannedError:
        doubtful(node.place)
        raise


# -- what is given up ---------------------------------------------------------------------------


async def cut(node: Node) -> Any:
    """Wait no longer than so many ms."""
    part = node.parts()[0]
    try:
        async with asyncio.timeout(node.tree[1] / 1000):
            return await part.run()
    except TimeoutError:
        lost(part.place)
        return TIMEOUT


async def remind(node: Node) -> Any:
    """Remind from time to time, until the branch has come to its end."""
    reminder = asyncio.create_task(_remind(node))
    try:
        value = await node.parts()[0].run()
    except PlannedError:
        lost(f"{node.place}.remind")
        raise
    finally:
        reminder.cancel()
    lost(f"{node.place}.remind")
    return value


async def _remind(node: Node) -> None:
    number = 0
    while True:
        waits(f"{node.place}.remind")
        await asleep(2 * node.nap)
        await steps.step(f"{node.place}.remind{number}", 1)
        number += 1


async def leave(node: Node) -> Any:
    """Begin a branch that nobody waits for."""
    left, part = node.parts()
    beside = asyncio.ensure_future(left.run())
    value = await part.run()
    beside.cancel()
    lost(left.place)
    return value


LEAVES: Final[dict[str, Callable[[Node], Awaitable[Any]]]] = {
    "step": _step,
    "tidy": _tidy,
    "stubborn": _stubborn,
    "thread": _thread,
    "ask": _ask,
    "askstep": _askstep,
    "limited": _limited,
    "nap": _nap,
    "flaky": _flaky,
    "remote": _remote,
    "fail": _fail,
}

NODES: Final[dict[str, Callable[[Node], Awaitable[Any]]]] = {
    each.__name__: each
    for each in (
        in_a_step,
        in_an_entrypoint,
        seq,
        catch,
        in_a_thread,
        gather,
        group,
        race,
        fill,
        complete,
        pool,
        limited_by,
        event,
        votes,
        pipe,
        cut,
        remind,
        leave,
    )
}
