"""`penstock resume`: answer a run that waits, or let a failed one go on."""

from __future__ import annotations

__all__ = ["resume"]

from typing import Any, cast

import click

from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.run import RunStatus
from penstock.worker.cli.errors import Refusal
from penstock.worker.cli.options import as_json, common, open_client, parse_json


@click.command(short_help="Answer a run that waits, or let a failed run continue.")
@click.argument("run_id", metavar="RUN")
@click.argument("answer", required=False)
@click.option("--interrupt", metavar="ID", help="The question to answer, if there are several.")
@click.option("--accept", metavar="STEP", multiple=True, help="The record of STEP stands.")
@click.option("--forget", metavar="STEP", multiple=True, help="STEP is executed again.")
@click.option("--follow", "-f", is_flag=True, help="Show the events of the run from here on.")
@as_json
@common
@click.pass_context
def resume(
    ctx: click.Context,
    run_id: str,
    answer: str | None,
    interrupt: str | None,
    accept: tuple[str, ...],
    forget: tuple[str, ...],
    follow: bool,
    as_json: bool,
    redis: str | None,
) -> None:
    """Answer the question of RUN with ANSWER (JSON); without ANSWER, let a failed run continue.

    \b
      penstock resume RUN '{"approved": true}'
      penstock resume RUN '"yes"' --interrupt 1f0c...

    A failed run continues from its last recorded step. `penstock show RUN` lists the questions and
    the steps. After a ReplayError, --accept lets a record stand though the code calls the step with
    other arguments or not at all; --forget drops it. Both may be given several times.
    """  # noqa: D301  # \b makes click leave a paragraph as it is
    if answer is None and interrupt is not None:
        raise click.UsageError("--interrupt needs an ANSWER.", ctx)
    if answer is not None and (accept or forget):
        raise click.UsageError("--accept and --forget go without an ANSWER.", ctx)
    value = NOTHING if answer is None else parse_json(answer, "ANSWER", """'{"approved": true}'""")
    with open_client(redis) as client:
        handle = client.get(run_id)
        cursor = client.do(client.plans.last_seq(run_id))
        if answer is None:
            _require_failed(handle)
        else:
            asks = client.do(client.plans.interrupts(run_id))
            value = _addressed(run_id, [question.id for question in asks], value, interrupt)
        handle.resume(value, accept=accept, forget=forget)
        if follow:
            from penstock.worker.cli.commands.follower import Follower

            ctx.exit(Follower(client, run_id, ("custom", "updates"), as_json).follow(cursor))
    if as_json:
        from penstock.worker.cli.output import emit

        emit({"run_id": run_id, "status": RunStatus.QUEUED})
    else:
        click.echo(f"run {run_id} continues; penstock tail {run_id} --after {cursor} follows it")


def _addressed(run_id: str, ids: list[str], value: Any, interrupt: str | None) -> Any:
    """Return an answer with the id of its question, unless it is a map of ids already.

    Raises:
        Refusal: there is no such question, or there are several.
    """
    if interrupt is not None and ids and interrupt not in ids:
        raise Refusal(
            f"run {run_id!r} has no open interrupt {interrupt!r}; open: {', '.join(ids)}."
        )
    if interrupt is not None:
        return {interrupt: value}
    if not ids or _is_map(value, ids):
        return value
    if len(ids) == 1:
        return {ids[0]: value}
    raise Refusal(
        f"run {run_id!r} asks {len(ids)} questions: choose one with --interrupt ID "
        f"(penstock show {run_id} lists them)."
    )


def _is_map(value: Any, ids: list[str]) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    return cast("dict[str, Any]", value).keys() <= set(ids)


def _require_failed(handle: RunHandle) -> None:
    run_id, status = handle.run_id, handle.status()
    if status is RunStatus.SUSPENDED and not handle.info().asks:
        raise Refusal(f"run {run_id!r} waits for no answer: it goes on by itself.")
    if status is RunStatus.SUSPENDED:
        raise Refusal(
            f"run {run_id!r} waits for an answer: penstock resume {run_id} 'ANSWER' "
            f"(penstock show {run_id} shows the question)."
        )
    if status is not RunStatus.FAILED:
        raise Refusal(
            f"run {run_id!r} is {status}: only a run that waits or has failed can be resumed."
        )
