"""Random programs, whose branches wait beside others that work, come to what they say."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, note, settings

from penstock.runtime import InMemorySaver, RedisSaver
from tests.support.branching.code import code_of
from tests.support.branching.game import Game, Script, play_in_process
from tests.support.branching.generate import (
    AROUND_ONE,
    EACH_OF_THEM,
    LEAVES,
    WAITING,
    programs,
    scripts,
)
from tests.support.branching.program import Node, Tree

pytestmark = pytest.mark.timeout(180)

SEARCH = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
QUESTIONS = ("step", "step", "ask", "askstep", "thread")
PLAIN = ("gather", "group", "fill", "event", "pipe", "seq", "in_a_step", "in_an_entrypoint")


def play(tree: Tree, script: Script) -> None:
    note(code_of(Node(tree, "p", 10.0)))
    note(f"what is done: {script}")
    Game(tree).play(script)


@SEARCH
@given(tree=programs(("step", "thread", "askstep"), PLAIN, fails=False), script=scripts)
def test_branches_that_work_come_as_far_as_they_can_beside_others_that_ask(
    tree: Tree, script: Script
) -> None:
    play(tree, script)


@SEARCH
@given(tree=programs(QUESTIONS, (*EACH_OF_THEM, "seq", "in_a_step"), fails=False), script=scripts)
def test_branches_that_ask_in_their_own_code_hear_their_answers(tree: Tree, script: Script) -> None:
    play(tree, script)


@SEARCH
@given(tree=programs(("step", "nap", "flaky"), EACH_OF_THEM), script=scripts)
def test_sleeps_and_retries_of_branches_take_their_own_time(tree: Tree, script: Script) -> None:
    play(tree, script)


@SEARCH
@given(tree=programs(), script=scripts)
def test_races_timeouts_and_reminders_lose_nothing_and_keep_nobody(
    tree: Tree, script: Script
) -> None:
    play(tree, script)


@SEARCH
@given(tree=programs((*WAITING, "remote")), script=scripts)
def test_steps_on_other_queues_come_back_to_their_branches(tree: Tree, script: Script) -> None:
    play(tree, script)


@SEARCH
@given(tree=programs(tuple(LEAVES)), script=scripts)
def test_programs_of_all_kinds_come_to_what_they_say(tree: Tree, script: Script) -> None:
    play(tree, script)


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_programs_in_process_come_to_what_they_say(kind: str, redis_saver: RedisSaver) -> None:
    # No reminders: in process, where a run sleeps as long as it has to, they go on for ever.
    around_one = [kind for kind in AROUND_ONE if kind != "remind"]
    nodes = (*EACH_OF_THEM, *around_one, "race", "votes", "seq")

    @settings(parent=SEARCH, max_examples=10)
    @given(tree=programs(("step", "askstep", "thread", "nap", "flaky"), nodes), script=scripts)
    def search(tree: Tree, script: Script) -> None:
        note(code_of(Node(tree, "p", 0.01)))
        note(f"what is done: {script}")
        play_in_process(tree, script, redis_saver if kind == "redis" else InMemorySaver())

    search()
