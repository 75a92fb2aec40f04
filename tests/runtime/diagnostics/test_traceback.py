from __future__ import annotations

from penstock.runtime.diagnostics.traceback import own_traceback

ENGINE = [
    '  File "/x/penstock/runtime/engine/execute.py", line 1, in _body\n    return 1',
    '  File "/x/penstock/publisher/plan.py", line 2, in afollow\n    answer = 1',
    '  File "/usr/lib/python3/concurrent/futures/thread.py", line 3, in run\n    x()',
]
OWN = '  File "/app/flows.py", line 4, in main\n    raise ValueError'


def test_an_error_has_the_frames_of_the_app_alone() -> None:
    outcome = {
        "error": {
            "type": "builtins.ValueError",
            "message": "bad",
            "traceback": "\n".join([*ENGINE, OWN]) + "\n",
        }
    }

    assert list(own_traceback(outcome)) == [(OWN, "ValueError: bad")]


def test_the_cause_of_an_error_comes_after_it() -> None:
    cause = {"type": "app.Lost", "message": "away", "traceback": OWN}
    error = {"type": "builtins.ValueError", "message": "bad", "traceback": OWN, "cause": cause}

    found = list(own_traceback({"error": error}))

    assert found == [(OWN, "ValueError: bad"), (OWN, "app.Lost: away")]


def test_a_run_that_did_not_fail_has_none() -> None:
    assert list(own_traceback({"value": 1})) == []
    assert list(own_traceback({})) == []
