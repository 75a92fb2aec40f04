"""Tables of the reference that are made from the code, between two comments of a page.

    <!-- table: settings -->
    <!-- end -->

`python -m tests.docs.tables` writes them anew; a test compares them.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click
from prometheus_client.metrics_core import Metric
from pydantic import RootModel

import penstock.publisher.errors
import penstock.runtime.errors
from penstock.gateway.app import ENDPOINTS
from penstock.gateway.compatible.asks import Asks
from penstock.gateway.compatible.routes import ENDPOINTS as COMPATIBLE
from penstock.gateway.endpoint import Endpoint
from penstock.gateway.keys import GatewayKeys
from penstock.gateway.native.asks import AsksAll
from penstock.gateway.settings import GatewaySettings
from penstock.langgraph.redis.keys import GraphKeys
from penstock.publisher.errors import PenstockError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.hook_states import FeedState, HookState, OutboxState
from penstock.runtime.redis.plans.queues import Overview, QueueState
from penstock.runtime.settings import Settings
from penstock.runtime.store.keys import StoreKeys
from penstock.runtime.telemetry.hook_metrics import HookMetrics
from penstock.runtime.telemetry.metrics import RunMetrics
from penstock.runtime.telemetry.redis_metrics import RedisMetrics
from penstock.worker.cli import SECTIONS, main
from tests.docs.page import PAGES

_PLACE = re.compile(r"(<!-- table: ([\w:]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def keys(
    cls: type[Keys] | type[StoreKeys] | type[GraphKeys] | type[GatewayKeys],
) -> Iterator[str]:
    """The keys that a class names, each with its docstring."""
    yield from ("| key | what it is |", "|---|---|")
    for name, value in _members(cls):
        if isinstance(value, property):
            key = getattr(cls(), name)
        else:
            parameters = list(inspect.signature(value).parameters)[1:]
            things = [_THING.get((name, each), each.replace("_", " ")) for each in parameters]
            key = value(cls(), *(f"<{thing}>" for thing in things))
        yield f"| `{key}` | {_says(value)} |"


_THING = {
    ("thread", "key"): "hash of the thread id",
    ("waiting", "key"): "hash of the thread id",
    ("space", "key"): "hash of the thread id",
    ("order", "key"): "hash of the thread id",
    ("queue", "name"): "queue",
    ("worker", "name"): "worker",
}


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    for each in reversed(cls.__mro__[:-1]):
        for name, value in vars(each).items():
            if name[0] != "_" and (inspect.isfunction(value) or isinstance(value, property)):
                yield name, value


_PLAIN = {
    "redis": "URL of the Redis.",
    "prefix": "What Penstock's keys begin with.",
    "rq_prefix": "What RQ's keys begin with.",
    "queue": "The queue of runs and workers that name none.",
    "port": "The port to listen on; 0 is any free one.",
}


def process_metrics() -> Iterator[str]:
    """The metrics of a worker process."""
    found = RunMetrics()
    found.watch(lambda: 0, 1, lambda: 0.0)
    registry: Any = found.registry  # which gives no labels of what has no values yet
    labels = {each._name: each._labelnames for each in registry._collector_to_names}
    yield from _metrics(registry.collect(), labels)


def redis_metrics() -> Iterator[str]:
    """The metrics of a Redis."""
    one = {"x": 1}
    overview = Overview([QueueState("x", 1, 1, 1.0)], one, one, one)
    hooks = OutboxState([HookState("x", counts={"delivered": 1})])
    families = list(RedisMetrics(lambda: overview).collect())
    families += HookMetrics(lambda: (hooks, FeedState())).collect()
    labels = {each.name: tuple(each.samples[0].labels) for each in families}
    yield from _metrics(families, labels)


def _metrics(families: Iterable[Metric], labels: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    yield from ("| metric | type | labels | |", "|---|---|---|---|")
    for each in families:
        name = f"{each.name}_total" if each.type == "counter" else each.name
        shown = " ".join(f"`{label}`" for label in labels[each.name])
        yield f"| `{name}` | {each.type} | {shown} | {each.documentation} |"


def settings(
    cls: type[Settings] | type[GatewaySettings], prefix: str = "PENSTOCK_"
) -> Iterator[str]:
    """All settings, with what the environment calls them."""
    says = _PLAIN | _attribute_docs(cls)
    yield from ("| setting | environment | default | |", "|---|---|---|---|")
    for field in dataclasses.fields(cls):
        default = "none" if field.default in ((), "") else f"`{field.default}`"
        env = f"`{prefix}{field.name.upper()}`"
        if field.name == "redis":
            env = "`PENSTOCK_REDIS_URL`"
        yield f"| `{field.name}` | {env} | {default} | {says.get(field.name, '')} |"


def routes(endpoints: Iterable[Endpoint[Any, Any]]) -> Iterator[str]:
    """Routes of the gateway, with the role that each needs and the fields that it takes."""
    yield from ("| route | role | does | takes |", "|---|---|---|---|")
    for each in endpoints:
        fields = [*each.query.model_fields, *each.body.model_fields]
        takes = ", ".join(f"`{field}`" for field in fields)
        if issubclass(each.body, RootModel):
            takes = "a list, each as one alone"
        yield f"| `{each.method} {each.path}` | {each.needs} | {each.summary} | {takes} |"


def asks() -> Iterator[str]:
    """Actions that an Auth object is asked for, with the routes that ask."""
    yield from ("| action | routes |", "|---|---|")
    yield from _asking(Asks)


def asks_all() -> Iterator[str]:
    """Actions for which nothing may be filtered, with the routes that ask."""
    yield from ("| actions | routes |", "|---|---|")
    yield from _asking(AsksAll)


def _asking(kind: type[Asks] | type[AsksAll]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for each in (*COMPATIBLE, *ENDPOINTS):
        if isinstance(each.asks, kind):
            found.setdefault(each.asks.name, []).append(f"`{each.method} {each.path}`")
    for name in sorted(found):
        shown = re.sub(r"[a-z]+\.[a-z_]+", r"`\g<0>`", name)
        yield f"| {shown} | {', '.join(found[name])} |"


def _attribute_docs(cls: type) -> dict[str, str]:
    """The texts that stand below the fields of a class."""
    body = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for node, following in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            found[node.target.id] = str(following.value.value).replace("\n", " ")
    return found


def commands() -> Iterator[str]:
    """All commands with their arguments and options, as `--help` has them."""
    for name, command in _each_command():
        own = click.Context(command, info_name=name)
        arguments = [each for each in command.params if isinstance(each, click.Argument)]
        words = [f"penstock {name}", *(each.make_metavar(own) for each in arguments)]
        yield from (f"### {name}", "", f"`{' '.join(words)}`", "", _paragraph(command), "")
        rows = [row for each in command.params if (row := each.get_help_record(own))]
        yield from ("| option | |", "|---|---|")
        yield from (f"| `{option}` | {says} |" for option, says in rows)
        yield ""


def _each_command() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(main)
    for name in (name for names in SECTIONS.values() for name in names):
        command = main.get_command(context, name)
        assert command is not None, f"there is no command {name!r}"
        if isinstance(command, click.Group):
            yield from ((f"{name} {each}", own) for each, own in command.commands.items())
        else:
            yield name, command


def _paragraph(command: click.Command) -> str:
    return " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())


def errors() -> Iterator[str]:
    """The tree of errors, with the sentence that each of them has."""
    for name in ("publisher", "runtime", "langgraph", "gateway", "worker"):
        room = importlib.import_module(f"penstock.{name}")
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    yield "```text"
    yield from _branch(PenstockError, "", "")
    yield "```"


def _branch(cls: type[BaseException], before: str, below: str) -> Iterator[str]:
    yield f"{before}{cls.__name__:<{40 - len(before)}}{_says(cls)}"
    found = [each for each in cls.__subclasses__() if each.__module__.startswith("penstock.")]
    ours = sorted(set(found), key=lambda each: (*_room_and_file(each), _line(each)))
    for number, each in enumerate(ours, start=1):
        is_last = number == len(ours)
        branch, rest = ("└── ", "    ") if is_last else ("├── ", "│   ")
        yield from _branch(each, below + branch, below + rest)


def _room_and_file(cls: type) -> tuple[int, str]:
    """The places of the trees themselves come first."""
    trees = (penstock.publisher.errors.__name__, penstock.runtime.errors.__name__)
    name = cls.__module__
    return (trees.index(name) if name in trees else len(trees), name)


def _line(cls: type) -> int:
    return inspect.getsourcelines(cls)[1]


def door(room: str) -> Iterator[str]:
    """The names of a room's door."""
    module = importlib.import_module(f"penstock.{room}")
    yield from ("| name | |", "|---|---|")
    for name in module.__all__:
        value = getattr(module, name)
        says = f"`{value!r}`" if isinstance(value, str) else _says(value)
        yield f"| `{name}` | {says} |"


def _says(value: object) -> str:
    text = inspect.getdoc(value) or ""
    return " ".join(text.partition("\n\n")[0].split())


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "keys": lambda: keys(Keys),
    "keys:store": lambda: keys(StoreKeys),
    "keys:graph": lambda: keys(GraphKeys),
    "keys:gateway": lambda: keys(GatewayKeys),
    "settings": lambda: settings(Settings),
    "settings:gateway": lambda: settings(GatewaySettings, "PENSTOCK_GATEWAY_"),
    "routes": lambda: routes(ENDPOINTS),
    "routes:compatible": lambda: routes(COMPATIBLE),
    "asks": asks,
    "asks_all": asks_all,
    "commands": commands,
    "metrics:process": process_metrics,
    "metrics:redis": redis_metrics,
    "errors": errors,
    "door:runtime": lambda: door("runtime"),
    "door:langgraph": lambda: door("langgraph"),
    "door:publisher": lambda: door("publisher"),
    "door:gateway": lambda: door("gateway"),
    "door:worker": lambda: door("worker"),
}


def filled(text: str) -> str:
    """A page's text with all its tables as the code has them."""

    def fill(found: re.Match[str]) -> str:
        table = "\n".join(TABLES[found[2]]()).strip("\n")
        return f"{found[1]}\n{table}\n\n{found[4]}"

    return _PLACE.sub(fill, text)


def shown(text: str) -> list[str]:
    """The names of the tables that a page has."""
    return [found[1] for found in _PLACE.findall(text)]


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
