"""How an entrypoint is called in this process, beyond its input."""

from __future__ import annotations

__all__ = ["CallOptions", "EventOptions", "Options", "StreamOptions", "options_of"]

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypedDict, get_args

from penstock.runtime.errors import ConfigurationError, WrongKindError
from penstock.runtime.types.config import Config
from penstock.runtime.types.control import RunControl
from penstock.runtime.types.durability import Durability, durability_of

Modes: TypeAlias = "str | Sequence[str]"
Nodes: TypeAlias = "str | Sequence[str] | None"
Version: TypeAlias = Literal["v1", "v2"]

RESULT, SAVED = "__end__", "__previous__"
"""What `output_keys` may name: the run's result, and what it saved for the next run."""


class CallOptions(TypedDict, total=False):
    """The keywords of `invoke`, `stream` and the others."""

    context: Any
    """The value of `runtime.context`; a dict is converted to the entrypoint's `context_schema`."""
    durability: Durability | None
    print_mode: Modes
    """Stream modes that are printed as they come; changes nothing else."""
    output_keys: Nodes
    """Shows `"__previous__"`, or a dict of several, as the value in place of `"__end__"`."""
    interrupt_before: Nodes
    """`"*"` or the entrypoint's name: stop before the body; None as the input goes on."""
    interrupt_after: Nodes
    """`"*"` or the entrypoint's name: end a stream with an interrupt that asks nothing."""
    debug: bool | None
    """Prints `updates` and `values`."""
    control: RunControl | None
    """Asks the run to drain, from outside."""


class EventOptions(CallOptions, total=False):
    """The keywords that `stream`, `astream` and `astream_events` have besides."""

    stream_mode: Modes | None
    subgraphs: bool


class StreamOptions(EventOptions, total=False):
    """The keywords of `stream` and `astream`."""

    version: Version


@dataclass(frozen=True, slots=True)
class Options:
    """How an entrypoint is called, beyond its input."""

    config: Config = field(default_factory=dict[str, Any])
    context: Any = None
    stream_mode: Modes | None = None
    subgraphs: bool = False
    durability: Durability | None = None
    version: Version = "v1"
    print_mode: Modes = ()
    output_keys: Nodes = None
    interrupt_before: Nodes = None
    interrupt_after: Nodes = None
    debug: bool | None = None
    control: RunControl | None = None

    @property
    def limit(self) -> int | None:
        """How many bodies may run at once."""
        limit = self.config.get("max_concurrency")
        return int(limit) if limit is not None else None

    @property
    def printed(self) -> tuple[str, ...]:
        """The stream modes that are printed."""
        modes = (self.print_mode,) if isinstance(self.print_mode, str) else tuple(self.print_mode)
        return modes or (("updates", "values") if self.debug else ())


def options_of(name: str, config: Config, given: Mapping[str, Any]) -> Options:
    """Read the keywords of a call of the entrypoint of that name.

    Raises:
        WrongKindError: there is no such keyword.
        ConfigurationError: one has a value that cannot be.
    """
    known = [each.name for each in dataclasses.fields(Options) if each.name != "config"]
    for key in given:
        if key not in known:
            raise WrongKindError(
                f"entrypoint {name!r} is called with the option {key!r}, which does not exist; "
                f"there are {', '.join(known)}. What belongs into the config is given as a dict."
            )
    options = Options(config, **given)
    _check(name, options)
    return options


def _check(name: str, options: Options) -> None:
    if options.version not in get_args(Version):
        raise ConfigurationError(f'version is "v1" or "v2", not {options.version!r}.')
    if options.durability is not None:
        durability_of(options.durability)
    _check_names(name, options)


def _check_names(name: str, options: Options) -> None:
    for key in _names(options.output_keys):
        if key not in (RESULT, SAVED):
            raise ConfigurationError(f"output_keys knows {RESULT!r} and {SAVED!r}, not {key!r}.")
    for nodes in (options.interrupt_before, options.interrupt_after):
        for node in _names(nodes):
            if node not in ("*", name):
                raise ConfigurationError(
                    f'entrypoint {name!r} stops before or after "*" or {name!r}, not {node!r}; '
                    "inside of it, interrupt() stops."
                )


def _names(nodes: Nodes) -> Sequence[str]:
    if nodes is None:
        return ()
    return (nodes,) if isinstance(nodes, str) else nodes
