"""The ids of steps: the path of tasks, branches and numbers that leads to a call."""

from __future__ import annotations

__all__ = [
    "ancestry",
    "branch_of",
    "caller",
    "is_step",
    "label",
    "namespace",
    "step_label",
    "step_name",
]

from urllib.parse import quote, unquote


def namespace(step_id: str) -> tuple[str, ...]:
    """Split a step's id into its path: steps, and the branches between them."""
    return tuple(step_id.split("/")) if step_id else ()


def caller(step_id: str) -> tuple[str, ...]:
    """Return the path of the step that made a call, () where the entrypoint's body did."""
    path = namespace(step_id)[:-1]
    while path and path[-1][0] == "~":
        path = path[:-1]
    return path


def ancestry(step_id: str) -> list[str]:
    """Return the ids of the steps that a step was called in, the outermost first, itself last."""
    path = namespace(step_id)
    return ["/".join(path[: n + 1]) for n, part in enumerate(path) if part[0] != "~"]


def label(name: str) -> str:
    """Return a task's name as it stands in step ids, the signs of their grammar escaped."""
    return quote(name, safe=" <>()[]{}.,;!?'\"&*+$#|") if set(name) & set("/:=@~^%") else name


def is_step(checkpoint: str) -> bool:
    """Return whether a checkpoint is named by a step's id alone, not one of what belongs to it."""
    return checkpoint[:1] not in "!?:>@=" and (":" in checkpoint or "=" in checkpoint)


def branch_of(step_id: str) -> str:
    """Return what the ids of all steps begin with that the same branch called."""
    head, slash, _ = step_id.rpartition("/")
    return head + slash


def step_label(step_id: str) -> str:
    """Return the label of the task that a step's id was made from."""
    last = step_id.rpartition("/")[2].lstrip("^")
    for sign in ":=@":
        last = last.partition(sign)[0]
    return last


def step_name(step_id: str) -> str:
    """Return the name of the task that a step's id was made from."""
    return unquote(step_label(step_id))
