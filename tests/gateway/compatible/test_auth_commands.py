"""Commands of the thread protocol tell nothing of the threads of others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.compatible.test_auth import ANN, BOB, ask, owners, run, serving, thread

_BAD: Any = {"configurable": "x"}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("run.cancel", {}),
        ("run.cancel", {"run_id": "RUN"}),
        ("input.respond", {"interrupt_id": "i", "response": 1}),
        ("input.respond", {"interrupt_id": "i", "response": 1, "config": _BAD}),
        ("state.fork", {"checkpoint_id": "1"}),
        ("state.fork", {"checkpoint_id": "1", "config": _BAD}),
        ("agent.getTree", {}),
        ("state.get", {}),
    ],
)
def test_threads_of_others_are_as_those_that_are_none(method: str, params: dict[str, Any]) -> None:
    with serving(owners()) as api:
        used, unused = thread(api, ANN), thread(api, ANN)
        run_id = run(api, ANN, used)
        if "run_id" in params:
            params = {"run_id": run_id}

        def answer(user: dict[str, str], name: str) -> tuple[int, str]:
            body = {"id": 1, "method": method, "params": params}
            found = ask(api, user, "POST", f"/threads/{name}/commands", body)
            return found.status_code, found.text.replace(name, "THREAD")

        none = answer(BOB, "no-such-thread")
        assert answer(BOB, used) == none
        assert answer(BOB, unused) == none
        assert answer(ANN, used) != none
