"""Changes of code under open runs, which a branch goes by or not for as long as its run lives."""

from __future__ import annotations

__all__ = ["patched"]

from penstock.runtime.engine.attempt.patches import Passage
from penstock.runtime.engine.step import Branch, current_branch
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.journal.checkpoint_names import PATCH
from penstock.runtime.journal.step_id import label


def patched(name: str, *, done: bool = False) -> bool:
    """Tell whether this run goes by a change of its code, where earlier runs may lack it.

    Written as `if patched("tax"): ...`, it is True where the run first comes to this place with the
    new code, and from then on; False where earlier code has recorded what comes after. Each passage
    counts by itself, as in a loop. With `done`, it raises an error where it would be False.

    Raises:
        OutsideRunError: no run is active here.
        ReplayError: the run is from before the change, and `done` says that none is left.
        ConfigurationError: the change has no name.
    """
    branch = current_branch(f"patched({name!r})")
    if not name:
        raise ConfigurationError("patched() needs the name of a change, which is not empty.")
    branch.scope.go_on()
    step = branch.scope.step
    if not step.is_recorded or not step.attempt.journal.stores:
        return True
    return step.attempt.replay.patches.passes(branch, _passage(branch, name), done=done)


def _passage(branch: Branch, name: str) -> Passage:
    path, number = branch.mark(PATCH, label(name))
    place = f"{path}/" if path else ""
    field = f"{PATCH}{place}{label(name)}#{number}"
    return Passage(name, field, is_numbered=path == branch.path)
