"""Names of LangGraph's own, which stand here once more: what reads states must not import it."""

from __future__ import annotations

from langgraph._internal import _constants as theirs
from langgraph.checkpoint.base import WRITES_IDX_MAP

from penstock.langgraph.redis import channels


def test_the_names_of_channels_are_those_of_langgraph() -> None:
    names = ("ERROR", "INTERRUPT", "NULL_TASK_ID", "RESUME", "RETURN")
    ours = (
        *(channels.ERROR, channels.INTERRUPT, channels.NULL_TASK),
        *(channels.RESUME, channels.RETURN),
    )

    assert ours == tuple(getattr(theirs, name) for name in names)
    assert {*WRITES_IDX_MAP, theirs.ERROR_SOURCE_NODE} == channels.CONTROL_WRITES
