"""The commands that enqueue runs, follow them and change them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.runtime.client.client import Client
from tests.support.until import until
from tests.worker.commands import environment, penstock, program, refused, rows, work

pytestmark = pytest.mark.filterwarnings(
    "ignore::penstock.runtime.redis.plans.requests.UnannouncedEntrypointWarning"
)


def enqueue(url: str, name: str, argument: Any, **options: Any) -> str:
    with Client(url) as client:
        return client.enqueue(name, argument, **options).run_id


# -- run ----------------------------------------------------------------------------------------


@pytest.mark.open_runs
def test_run_prints_the_id_of_the_run(redis_url: str) -> None:
    result = penstock("run", "main", '{"x": 5}', url=redis_url)

    assert result.exit_code == 0
    with Client(redis_url) as client:
        assert client.get(result.stdout.strip()).info().entrypoint == "main"
    assert "no live worker has announced entrypoint 'main'" in result.stderr


@pytest.mark.open_runs
def test_run_as_json_gives_run_and_thread(redis_url: str) -> None:
    options = ("--thread", "bücher:{1}", "--run-id", "r1", "--queue", "gpu", "--json")
    result = penstock("run", "main", "-", *options, url=redis_url, stdin='{"x": 5}')

    assert result.stdout == '{"run_id": "r1", "thread_id": "b\\u00fccher:{1}"}\n'
    with Client(redis_url) as client:
        run = client.get("r1").info()
    assert (run.queue, run.thread_id) == ("gpu", "bücher:{1}")


@pytest.mark.open_runs
def test_run_with_an_id_may_be_repeated(redis_url: str) -> None:
    for _ in range(2):
        assert penstock("run", "main", "1", "--run-id", "r1", url=redis_url).exit_code == 0

    conflict = penstock("run", "main", "2", "--run-id", "r1", url=redis_url)

    assert "is taken by a run with another entrypoint" in refused(conflict)


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ("docs", """'"docs"'"""),
        ("it's", """'"it'"'"'s"'"""),
        ("{x: 5}", "single quotes"),
        ("", "a text needs quotes"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_input_that_is_not_json_is_refused_with_the_way_to_quote(
    given: str, fix: str, redis_url: str, redis_client: redis.Redis
) -> None:
    sentence = refused(penstock("run", "main", given, url=redis_url))

    assert sentence.startswith("INPUT is not JSON")
    assert fix in sentence
    assert redis_client.dbsize() == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--run-id", "a b"), "use letters, digits"),
        (("--queue", "a b"), "queue 'a b'"),
        (("--thread", ""), "a thread id has 1 to"),
        (("--thread", "x" * 70_000), "a thread id has 1 to"),
    ],
)
def test_ids_that_cannot_be_used_are_refused(
    options: tuple[str, ...], says: str, redis_url: str, redis_client: redis.Redis
) -> None:
    assert says in refused(penstock("run", "main", "1", *options, url=redis_url))
    assert redis_client.dbsize() == 0


@pytest.mark.open_runs
def test_a_busy_thread_refuses_if_asked_to(redis_url: str) -> None:
    enqueue(redis_url, "main", 1, thread_id="t")

    result = penstock("run", "main", "2", "--thread", "t", "--on-busy", "reject", url=redis_url)

    assert "is busy" in refused(result)


def test_run_needs_its_input() -> None:
    result = penstock("run", "main")

    assert result.exit_code == 2
    assert "Missing argument 'INPUT'" in result.stderr


def test_follow_shows_what_the_run_says_and_then_its_result(redis_url: str, tmp_path: Path) -> None:
    worker = threading.Timer(0.5, work, (tmp_path, redis_url))
    worker.start()

    result = penstock("run", "main", '{"x": 5}', "--follow", url=redis_url)

    worker.join()
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "custom     Started processing",
        'updates    {"double": 10}',
        "custom     Result is 10",
        'updates    {"main": 10}',
        "completed  10",
    ]


def test_interrupted_following_leaves_the_run_alone(redis_url: str) -> None:
    with subprocess.Popen(
        program("run", "nap", "1", "--run-id", "r1", "--follow"),
        env=environment(redis_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with redis.Redis.from_url(redis_url) as connection:
            until(lambda: connection.pubsub_numsub("penstock:channel:r1")[0][1])
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)

    assert process.returncode == 130
    assert "penstock tail r1 --after" in said
    assert "Traceback" not in said
    with Client(redis_url) as client:
        assert client.get("r1").cancel() == "cancelled"


# -- tail ---------------------------------------------------------------------------------------


def test_tail_shows_a_run_that_is_over(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "main", {"x": 5})
    work(tmp_path, redis_url)

    everything = rows(penstock("tail", run_id, "--json", url=redis_url))
    rest = rows(
        penstock("tail", run_id, "--json", "--after", str(everything[1]["seq"]), url=redis_url)
    )

    *events, end = everything
    assert [(event["mode"], event["data"]) for event in events] == [
        ("custom", "Started processing"),
        ("updates", {"double": 10}),
        ("custom", "Result is 10"),
        ("updates", {"main": 10}),
    ]
    assert set(events[0]) == {
        *("seq", "run_id", "thread_id", "mode", "namespace", "data", "attempt", "time")
    }
    assert end == {"run_id": run_id, "status": "completed", "result": 10}
    assert rest == everything[2:]


def test_tail_past_the_end_of_a_run_that_is_over_ends(redis_url: str) -> None:
    run_id = enqueue(redis_url, "main", {"x": 5})
    penstock("cancel", run_id, url=redis_url)

    result = penstock("tail", run_id, "--json", "--after", "1000", url=redis_url)

    assert result.exit_code == 1
    assert rows(result) == [{"run_id": run_id, "status": "cancelled", "reason": "cancelled"}]


def test_tail_shows_facts(redis_url: str) -> None:
    run_id = enqueue(redis_url, "main", {"x": 5})
    penstock("cancel", run_id, url=redis_url)

    facts = rows(penstock("tail", run_id, "--json", "-m", "facts", url=redis_url))

    assert [fact.get("mode") for fact in facts] == ["run.queued", "run.finished", None]


def test_tail_prints_control_characters_as_what_they_are(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "main", {"x": "\x1b[2J\ud800 é\nline"})  # main writes it twice
    work(tmp_path, redis_url)

    shown = penstock("tail", run_id, url=redis_url).stdout.splitlines()

    written = ["custom     Result is \\x1b[2J\\ud800 é", "           line\\x1b[2J\\ud800 é"]
    at = shown.index(written[0])
    assert shown[at : at + 3] == [*written, "           line"]


@pytest.mark.parametrize(
    ("option", "value"), [("--after", "-1"), ("--after", "x"), ("--mode", "tokens")]
)
def test_tail_refuses_wrong_options(option: str, value: str) -> None:
    assert penstock("tail", "r1", option, value).exit_code == 2


def test_a_pipe_that_closes_ends_the_command_quietly(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "main", {"x": 5})
    work(tmp_path, redis_url)
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        program("tail", run_id), env=environment(redis_url), stdout=write, stderr=subprocess.PIPE
    )

    os.close(write)
    assert b"Traceback" not in done.stderr


# -- resume -------------------------------------------------------------------------------------


def test_a_question_is_answered_from_the_command_line(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "ask", "sure?")
    work(tmp_path, redis_url)

    first = penstock("tail", run_id, url=redis_url)
    assert first.exit_code == 3
    assert first.stdout.splitlines()[-1] == "suspended  sure?"
    assert f"penstock resume {run_id} 'ANSWER'" in first.stderr

    assert "continues" in penstock("resume", run_id, '"yes"', url=redis_url).stdout
    work(tmp_path, redis_url)

    *_, second = rows(penstock("tail", run_id, "--json", url=redis_url))
    (question,) = second["interrupts"]
    assert question["value"] == {"really": "sure?"}

    answer = ("resume", run_id, "{}", "--interrupt", question["id"], "--json")
    assert rows(penstock(*answer, url=redis_url)) == [{"run_id": run_id, "status": "queued"}]
    work(tmp_path, redis_url)

    *_, end = rows(penstock("tail", run_id, "--json", url=redis_url))
    assert end["result"] == ["yes", {}]


def test_an_answer_of_a_wrong_type_is_refused_and_the_run_waits_on(
    redis_url: str, tmp_path: Path
) -> None:
    run_id = enqueue(redis_url, "approve", "sure?")
    work(tmp_path, redis_url)

    wrong = penstock("resume", run_id, '"perhaps"', url=redis_url)
    assert wrong.exit_code == 1
    assert "is refused, the run waits on" in wrong.stderr
    assert "valid boolean" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    *_, waiting = rows(penstock("tail", run_id, "--json", url=redis_url))
    assert waiting["interrupts"][0]["response_schema"] == {"type": "boolean"}

    assert "continues" in penstock("resume", run_id, "true", url=redis_url).stdout
    work(tmp_path, redis_url)
    *_, end = rows(penstock("tail", run_id, "--json", url=redis_url))
    assert end["result"] is True


def test_wrong_answers_are_refused(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "ask", "sure?")
    work(tmp_path, redis_url)

    missing = penstock("resume", run_id, url=redis_url)
    bare = penstock("resume", run_id, "yes", url=redis_url)
    unknown = penstock("resume", run_id, "1", "--interrupt", "f" * 32, url=redis_url)
    penstock("cancel", run_id, url=redis_url)
    late = penstock("resume", run_id, "1", url=redis_url)
    over = penstock("resume", run_id, url=redis_url)

    assert f"waits for an answer: penstock resume {run_id}" in refused(missing)
    assert """'"yes"'""" in refused(bare)
    assert "has no open interrupt" in refused(unknown)
    assert "it is cancelled" in refused(late)
    assert "only a run that waits or has failed" in refused(over)


def test_a_question_by_an_id_that_is_none_is_not_answered(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "ask", "sure?")
    work(tmp_path, redis_url)
    *_, waiting = rows(penstock("tail", run_id, "--json", url=redis_url))
    (question,) = waiting["interrupts"]

    shortened = penstock("resume", run_id, "1", "--interrupt", question["id"][:4], url=redis_url)

    assert f"has no open interrupt {question['id'][:4]!r}" in refused(shortened)
    assert question["id"] in refused(shortened)

    assert "continues" in penstock("resume", run_id, "{}", url=redis_url).stdout
    work(tmp_path, redis_url)
    *_, waiting = rows(penstock("tail", run_id, "--json", url=redis_url))
    (second,) = waiting["interrupts"]
    assert second["value"] == {"really": "sure?"}

    answer = f'{{"{second["id"]}": [1]}}'
    assert "continues" in penstock("resume", run_id, answer, url=redis_url).stdout
    work(tmp_path, redis_url)
    *_, end = rows(penstock("tail", run_id, "--json", url=redis_url))
    assert end["result"] == [{}, [1]]


@pytest.mark.open_runs
def test_an_answer_to_one_of_several_questions_says_which(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "vote", "sure?")
    work(tmp_path, redis_url)

    answered = penstock("resume", run_id, "true", url=redis_url)

    assert "asks 2 questions: choose one with --interrupt ID" in refused(answered)


def test_interrupt_without_an_answer_is_a_usage_error() -> None:
    assert penstock("resume", "r1", "--interrupt", "f" * 32).exit_code == 2


def test_a_failed_run_goes_on(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "fails", 1)
    work(tmp_path, redis_url)
    worker = threading.Timer(0.5, work, (tmp_path, redis_url))
    worker.start()

    followed = penstock("resume", run_id, "--follow", url=redis_url)
    worker.join()

    assert followed.exit_code == 1
    assert followed.stdout.splitlines()[-1] == "failed     ValueError: no 1"
    facts = rows(penstock("tail", run_id, "--json", "-m", "facts", url=redis_url))
    assert [fact.get("mode") for fact in facts].count("run.finished") == 2


# -- cancel -------------------------------------------------------------------------------------


def test_cancel_ends_a_queued_run(redis_url: str) -> None:
    run_id = enqueue(redis_url, "main", {"x": 5})

    first = rows(penstock("cancel", run_id, "--json", url=redis_url))
    again = penstock("cancel", run_id, url=redis_url)

    assert first == [{"run_id": run_id, "status": "cancelled"}]
    assert again.stdout == f"run {run_id} is cancelled\n"


def test_a_run_that_is_over_cannot_be_cancelled(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "main", {"x": 5})
    work(tmp_path, redis_url)

    assert "is already completed" in refused(penstock("cancel", run_id, url=redis_url))


# -- runs ---------------------------------------------------------------------------------------


def test_no_runs_is_a_hint_and_no_output(redis_url: str) -> None:
    result = penstock("runs", url=redis_url)

    assert result.stdout == ""
    assert "no runs yet" in result.stderr


@pytest.mark.open_runs
def test_runs_lists_the_newest_first(redis_url: str) -> None:
    for number in range(3):
        enqueue(redis_url, "main", number, run_id=f"r{number}", thread_id="a\nb" * number or None)
    penstock("cancel", "r0", url=redis_url)

    shown = penstock("runs", url=redis_url).stdout.splitlines()
    queued = rows(penstock("runs", "--status", "queued", "--json", url=redis_url))
    one = penstock("runs", "--limit", "1", url=redis_url).stdout.splitlines()

    assert shown[0].split() == [
        *("run", "status", "entrypoint", "thread", "queue", "enqueued", "reason")
    ]
    assert {line.split()[0] for line in shown[1:]} == {"r0", "r1", "r2"}
    assert all("\x1b" not in line and line == line.rstrip() for line in shown)
    assert {run["run_id"] for run in queued} == {"r1", "r2"}
    assert set(queued[0]) == {
        *("run_id", "thread_id", "entrypoint", "status", "queue", "attempt", "crashes"),
        *("worker", "reason", "created_at", "started_at", "finished_at"),
        *("asks", "wakes_at", "tags", "cause", "rerun_of", "version", "is_pinned"),
    }
    assert len(one) == 2


def test_a_status_that_does_not_exist_is_a_usage_error() -> None:
    result = penstock("runs", "--status", "done")

    assert result.exit_code == 2
    assert "'completed'" in result.stderr
