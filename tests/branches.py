"""Plays random programs with branches: `python -m tests.branches [--seed 7] [--examples 200]`.

Prints each program that fails, as code, with what was done to it and what is wrong; exits with 1 if
any did. The tests find the same, and shrink it.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import partial
from types import FrameType
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from tests.support.branching.code import code_of
from tests.support.branching.game import Game, Script
from tests.support.branching.generate import WAITING, programs, scripts
from tests.support.branching.program import Node, Tree

FAMILIES: Final = {
    "steps": programs(("step", "thread", "askstep"), fails=False),
    "all": programs(),
    "direct": programs(("step", "ask", "ask", "nap", "thread")),
    "cancels": programs(
        ("tidy", "stubborn", "stubborn", "step", "step", "ask"),
        ("fill", "complete", "cut", "cut", "seq", "seq", "race", "in_a_step", "in_an_entrypoint"),
        fails=False,
    ),
    "remote": programs((*WAITING, "remote", "remote")),
}


HANGS: Final = 10.0
"""Seconds after which a program hangs, as all of its time is skipped."""


def _hang(code: str, _: int, frame: FrameType | None) -> None:
    """End here, as nothing else may get a program out of a loop that never ends."""
    traceback.print_stack(frame)
    print(f"{code}\nWRONG: it hangs", flush=True)
    os._exit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.branches", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--family", choices=FAMILIES, default="all")
    told = parser.parse_args(arguments)
    logging.disable()
    warnings.simplefilter("ignore")
    wrong: Counter[str] = Counter()

    @seeded(told.seed)
    @settings(
        max_examples=told.examples,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(tree=FAMILIES[told.family], script=scripts)
    def play(tree: Tree, script: Script) -> None:
        code = f"{code_of(Node(tree, 'p', 10.0))}\n{script}"
        signal.signal(signal.SIGALRM, partial(_hang, code))
        signal.setitimer(signal.ITIMER_REAL, HANGS)
        try:
            Game(tree).play(script)
        except Exception as error:
            wrong[type(error).__name__] += 1
            print(f"{code}\nWRONG: {error}\n")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    play()
    print(f"seed {told.seed}: {told.examples} programs, wrong: {dict(wrong) or 'none'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
