from __future__ import annotations

import json
import logging
import math
import threading
import time
from pathlib import Path

import pytest

from penstock.publisher.errors import ConfigurationError
from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.worker.health import vitals as vitals_module
from penstock.worker.health.changes import Changes
from penstock.worker.health.report import Report
from penstock.worker.health.status import Status, status_of_all
from penstock.worker.health.status_file import StatusFile
from penstock.worker.health.vitals import Vitals


def ended_thread() -> threading.Thread:
    thread = threading.Thread(target=lambda: None, name="penstock-brief")
    thread.start()
    thread.join()
    return thread


def test_a_thread_that_beats_is_well_and_one_that_does_not_is_stuck() -> None:
    well, stuck = Heartbeat(threading.current_thread()), Heartbeat(silence=-1.0)
    asleep = Heartbeat(threading.current_thread(), silence=math.inf)

    assert well.problem() == ""
    assert asleep.problem() == ""
    assert stuck.problem() == "no sign of life for 0 s"


def test_a_thread_that_has_ended_is_named_and_one_to_come_is_not() -> None:
    assert Heartbeat(ended_thread()).problem() == "its thread penstock-brief has ended"
    assert Heartbeat(threading.Thread(), silence=-1.0).problem() == ""


def test_a_worker_is_ready_once_it_has_started_and_as_long_as_redis_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vitals = Vitals()
    assert vitals.status() == Status({}, "it starts")

    vitals.follow({"loop": Heartbeat()})
    assert vitals.status().is_ready

    monkeypatch.setattr(vitals_module, "ANSWER", -1.0)
    assert vitals.status() == Status({"loop": ""}, "Redis has not answered for 0 s")
    assert vitals.status().is_live


def test_a_worker_that_drains_is_live_whatever_has_ended() -> None:
    vitals = Vitals()
    vitals.follow({"loop": Heartbeat(ended_thread())})
    assert vitals.status().problems == {"loop": "its thread penstock-brief has ended"}

    vitals.drain()

    assert vitals.status() == Status({}, "it drains")


def test_the_answers_are_json() -> None:
    status = Status({"loop": "", "leases": "its thread has ended"}, "it starts")

    assert json.loads(status.live_json()) == {
        "live": False,
        "parts": {"loop": "ok", "leases": "its thread has ended"},
    }
    assert json.loads(status.ready_json()) == {
        "ready": False,
        "reason": "leases: its thread has ended; it starts",
    }
    assert Status.load(status.dump()) == status


def test_a_supervisor_is_as_well_as_the_worst_of_its_processes() -> None:
    both = {1: Status({"loop": ""}), 2: Status({"loop": "no sign of life"}, "it starts")}

    assert status_of_all(both) == Status(
        {"process 1: loop": "", "process 2: loop": "no sign of life"}, "process 2: it starts"
    )


def test_each_problem_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    changes = Changes()
    caplog.set_level(logging.INFO)

    for problem in ("", "stuck for 16 s", "stuck for 17 s", "", ""):
        changes.log(Status({"loop": problem}))

    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("ERROR", "loop: stuck for 16 s"),
        ("INFO", "loop works again"),
    ]


def test_a_part_whose_process_has_ended_is_not_said_to_work_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    changes = Changes()
    caplog.set_level(logging.INFO)

    for parts in ({"process 1: loop": "stuck"}, {}, {"process 1: loop": ""}):
        changes.log(Status(parts))
    changes.log(Status({"process 1: loop": "stuck"}))

    assert [each.getMessage() for each in caplog.records] == ["process 1: loop: stuck"] * 2


def test_a_process_that_reports_again_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report, changes, now = Report(tmp_path / "1.json"), Changes(), time.monotonic()
    caplog.set_level(logging.INFO)

    changes.log(report.read(now - 20.0))
    report.write(Status({"loop": ""}))
    changes.log(report.read(now - 20.0))

    assert [each.getMessage() for each in caplog.records] == [
        "process: no sign of life for 20 s",
        "process works again",
    ]


def test_nothing_works_again_because_its_worker_drains(caplog: pytest.LogCaptureFixture) -> None:
    vitals, changes = Vitals(), Changes()
    caplog.set_level(logging.INFO)
    vitals.follow({"loop": Heartbeat(ended_thread())})
    changes.log(vitals.status())

    vitals.drain()
    changes.log(vitals.status())

    assert [each.levelname for each in caplog.records] == ["ERROR"]


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    assert StatusFile.open(str(tmp_path / "health")).path == tmp_path / "health"
    assert list(tmp_path.iterdir()) == [], "the process is not live yet"

    with pytest.raises(ConfigurationError, match=r"health file .*nowhere.* cannot be written"):
        StatusFile.open(str(tmp_path / "nowhere" / "health"))


def test_what_keeps_the_health_from_being_told_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    changes = Changes()

    for _ in range(2):
        changes.fails()
    changes.works()
    changes.fails()

    assert len(caplog.records) == 2


def test_a_status_file_is_there_while_the_process_is_live(tmp_path: Path) -> None:
    file = StatusFile(tmp_path / "health")

    file.show(Status({"loop": ""}))
    assert json.loads(file.path.read_text()) == {"ready": True, "reason": ""}

    file.show(Status({"loop": "stuck"}))
    assert list(tmp_path.iterdir()) == []
    file.remove()


def test_a_process_that_reports_nothing_for_too_long_is_stuck(tmp_path: Path) -> None:
    report, now = Report(tmp_path / "1.json"), time.monotonic()
    assert report.read(now) == Status({"process": ""}, "it starts")
    assert report.read(now - 20.0).problems == {"process": "no sign of life for 20 s"}

    report.write(Status({"loop": ""}))

    assert report.read(now - 20.0) == Status({"process": "", "loop": ""})
    assert report.read(time.monotonic()).not_ready == "it starts", "the report of one before it"


@pytest.mark.parametrize("text", ["", "1\n", "x\n{}\n", "1\n2\n3\n"])
def test_a_report_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.json").write_text(text)

    assert Report(tmp_path / "1.json").read(time.monotonic()).not_ready == "it starts"
