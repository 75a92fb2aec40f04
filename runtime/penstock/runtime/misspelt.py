"""Environment variables that look like settings and are not."""

from __future__ import annotations

__all__ = ["UnknownSettingWarning", "misspelt"]

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

PREFIX: Final = "PENSTOCK_"

ALIKE: Final = 0.75
"""How alike two names are, of 0 to 1, for one to be the other misspelt."""

_OF_KUBERNETES: Final = re.compile(
    r"SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?"
)
"""What Kubernetes sets in each container for a service called penstock, or penstock-something."""


class UnknownSettingWarning(UserWarning):
    """A variable of the environment looks like a setting, and is none."""


def misspelt(environ: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """Say of each variable that looks like a known setting, and is none, what it may mean."""
    names = {name.removeprefix(PREFIX): name for name in known}
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in names or not environ[variable] or _is_foreign(name):
            continue
        if (meant := _meant(name, tuple(names))) is not None:
            yield f"{variable} is not a setting; did you mean {names[meant]}?"


def _meant(name: str, names: tuple[str, ...]) -> str | None:
    alike = difflib.get_close_matches(name.upper(), names, 1, ALIKE)
    longer = sorted(
        (each for each in names if name.upper().startswith(f"{each}_")), key=len, reverse=True
    )
    return next(iter([*alike, *longer]), None)


def _is_foreign(name: str) -> bool:
    return any(
        _OF_KUBERNETES.fullmatch(name[at:])
        for at in (0, *(found.end() for found in re.finditer("_", name)))
    )
