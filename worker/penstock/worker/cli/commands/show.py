"""`penstock show`: everything about one run."""

from __future__ import annotations

__all__ = ["show"]

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click
from rich.text import Text

from penstock.runtime.diagnostics.duration import duration
from penstock.runtime.diagnostics.run_report import RunReport, as_object, read_report
from penstock.runtime.diagnostics.steps import Step, StepStatus
from penstock.runtime.diagnostics.traceback import own_traceback
from penstock.runtime.diagnostics.waiting import Waiting
from penstock.runtime.types.run import Run, RunStatus
from penstock.worker.cli.commands.follower import answer_hint
from penstock.worker.cli.errors import note
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import (
    COLOURS,
    Grid,
    age,
    emit,
    one_line,
    print_line,
)

RESULT_SHOWN: Final = 2000


@click.command(short_help="Show a run: its steps, its attempts, what it waits for.")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(min=1),
    metavar="N",
    default=100,
    show_default=True,
    help="How many steps, the newest; --json has all.",
)
@click.option("--traceback", is_flag=True, help="Show where a failed run's error came from.")
@click.option("--input", "has_input", is_flag=True, help="Show the run's input.")
@click.option("--values", "has_values", is_flag=True, help="Show what its steps returned.")
@as_json
@common
def show(
    run_id: str,
    limit: int,
    traceback: bool,
    has_input: bool,
    has_values: bool,
    as_json: bool,
    redis: str | None,
) -> None:
    """Show RUN: status, times, attempts, what it waits for, and its steps.

    Steps are listed below the step that called them. A step is `unfinished` if its attempt ended
    before the step did: it is executed again when the run goes on.
    """
    with open_client(redis) as client:
        report = client.do(
            read_report(client.plans, run_id, has_input=has_input, has_values=has_values)
        )
    if as_json:
        emit(as_object(report))
        return
    _print_run(report)
    _print_steps(report.steps, limit)
    _print_values(report, limit)
    if traceback:
        _print_traceback(report.outcome)


# -- for people ---------------------------------------------------------------------------------


def _print_run(report: RunReport) -> None:
    run = report.run
    print_line(
        Text.assemble(
            (one_line(run.entrypoint), "bold"), "  ", (run.status, COLOURS[run.status]), "  "
        ).append(run.run_id, style="dim")
    )
    if run.thread_id != run.run_id:
        _print_field("thread", one_line(run.thread_id))
    if run.rerun_of:
        _print_field("rerun of", run.rerun_of)
    if run.tags:
        _print_field("tags", ", ".join(one_line(f"{key}={run.tags[key]}") for key in run.tags))
    if run.version:
        _print_field("version", f"{run.version}{', pinned' * run.is_pinned}")
    _print_field("queue", run.queue or "none: invoked in a process of its own")
    _print_field("times", _times(run))
    if run.attempt > 1:
        _print_field("attempts", _attempts(run))
    for reason in report.deaths:
        _print_field("death", one_line(reason), "red")
    _print_waiting(run, report.waiting)
    _print_end(run, report.outcome)


def _print_waiting(run: Run, waiting: Waiting) -> None:
    if waiting.waits_for:
        _print_field(waiting.label, waiting.waits_for)
    for question in waiting.questions:
        _print_field("question", one_line(question.value), "yellow")
        _print_field("", answer_hint(run.run_id, question, len(waiting.questions) > 1), "dim")
    if waiting.fix:
        _print_field("fix", waiting.fix)


def _print_end(run: Run, outcome: Mapping[str, Any]) -> None:
    if run.reason:
        _print_field("reason", one_line(run.reason), "red" * (run.status is RunStatus.FAILED))
    if run.status is RunStatus.FAILED:
        if run.cause:
            _print_field("cause", f"{run.cause}: penstock runs --error {run.cause}")
        _print_field("continue", f"penstock resume {run.run_id}")
    if "value" in outcome:
        _print_field("result", one_line(outcome["value"], RESULT_SHOWN))


def _print_field(label: str, text: str, style: str = "") -> None:
    print_line(Text.assemble((f"{label:<9}  ", "dim"), (text, style)))


def _times(run: Run) -> str:
    parts = [f"enqueued {run.created_at.astimezone():%Y-%m-%d %H:%M:%S} ({age(run.created_at)})"]
    if run.started_at is not None:
        parts.append(f"started after {duration(_seconds(run.created_at, run.started_at))}")
        if run.finished_at is not None:
            parts.append(f"took {duration(_seconds(run.started_at, run.finished_at))}")
    return ", ".join(parts)


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()


def _attempts(run: Run) -> str:
    workers = f"{run.crashes} worker" if run.crashes == 1 else f"{run.crashes} workers"
    return f"{run.attempt}; {workers} died while executing it" if run.crashes else str(run.attempt)


def _print_steps(steps: Sequence[Step], limit: int) -> None:
    if not steps:
        return
    grid = Grid("step", "status", "took", "tries", "id", "error", may_shrink=("id", "error"))
    now = datetime.now(UTC)
    for step in steps[-limit:]:
        took = step.seconds
        if took is None and step.started_at is not None and step.status is StepStatus.RUNNING:
            took = _seconds(step.started_at, now)
        grid.add(
            Text("  " * step.depth + one_line(step.name)),
            Text(step.status, style=COLOURS[step.status]),
            Text("" if took is None else duration(took)),
            Text("" if step.tries < 2 else str(step.tries), style="magenta"),
            Text(one_line(step.step_id), style="dim"),
            Text(one_line(step.error, 200), style="red"),
        )
    print_line("")
    grid.print()
    if len(steps) > limit:
        note(f"the newest {limit} of {len(steps)} steps; --limit shows more")


def _print_values(report: RunReport, limit: int) -> None:
    steps = {step.step_id: step for step in report.steps[-limit:]}
    shown = {name: report.values[name] for name in ("input", *steps) if name in report.values}
    if shown:
        print_line("")
    for name, value in shown.items():
        print_line(Text.assemble((f"{one_line(name)}  ", "dim"), one_line(value, RESULT_SHOWN)))


def _print_traceback(outcome: Mapping[str, Any]) -> None:
    for frames, sentence in own_traceback(outcome):
        print_line("")
        print_line(Text(one_line(frames), style="dim"))
        print_line(Text(one_line(sentence), style="red"))
