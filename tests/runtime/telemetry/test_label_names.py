from __future__ import annotations

from penstock.runtime.telemetry.label_names import MOST, LabelNames


def test_names_past_the_limit_are_other() -> None:
    names = LabelNames()

    told = [names.of(f"task {number}") for number in range(MOST + 10)]

    assert len(set(told)) == MOST + 1
    assert told[-1] == "other"
    assert names.of("task 0") == "task 0", "one that was there before"
