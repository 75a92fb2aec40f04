"""Environment variables that are named like settings and are none."""

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

_OF_OTHERS: Final = ("TEST_", "GATEWAY_", "LANGGRAPH_")
"""What test suites set for code of their own, and what other rooms check themselves."""


class UnknownSettingWarning(UserWarning):
    """A variable of the environment is named like a setting, and is none."""


def misspelt(
    environ: Mapping[str, str], known: Iterable[str], prefix: str = PREFIX
) -> Iterator[str]:
    """Say of each variable that is named like a setting, and is none, what it may mean.

    Names of variables are told apart by case, so that `penstock_lease` is none either.
    """
    names = {name.removeprefix(prefix): name for name in known}
    for variable in sorted(environ):
        name = variable[len(prefix) :]
        if not variable.upper().startswith(prefix) or variable in names.values():
            continue
        if not environ[variable] or _is_foreign(name.upper()):
            continue
        meant = _meant(name.upper(), tuple(names))
        yield f"{variable} is not a setting; " + (
            f"there are {', '.join(names.values())}."
            if meant is None
            else f"did you mean {names[meant]}?"
        )


def _meant(name: str, names: tuple[str, ...]) -> str | None:
    alike = difflib.get_close_matches(name, names, 1, ALIKE)
    longer = sorted((each for each in names if name.startswith(f"{each}_")), key=len, reverse=True)
    return next(iter([*alike, *longer]), None)


def _is_foreign(name: str) -> bool:
    return name.startswith(_OF_OTHERS) or any(
        _OF_KUBERNETES.fullmatch(name[at:])
        for at in (0, *(found.end() for found in re.finditer("_", name)))
    )
