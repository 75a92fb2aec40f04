"""Runs whose spans cannot be exported: the collector hangs, refuses, or is not there."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.runtime import Client
from tests.faults.support.fixtures import checker, client, fleet, raw, server
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet
from tests.support.until import until
from tests.worker.commands import environment, program

__all__ = ["checker", "client", "fleet", "raw", "server"]

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

APP = """
import os
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from penstock.runtime import entrypoint, task

class Broken(SpanExporter):
    def export(self, spans):
        raise RuntimeError("no collector")

class BrokenProcessor(SimpleSpanProcessor):
    def on_start(self, span, parent_context=None):
        raise RuntimeError("no processor")

provider = TracerProvider()
kind = os.environ["COLLECTOR"]
if kind == "raises":
    provider.add_span_processor(BrokenProcessor(Broken()))
else:
    exporter = OTLPSpanExporter(endpoint=f"{kind}/v1/traces", timeout=30)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=50))
trace.set_tracer_provider(provider)

@task
def double(x: int) -> int:
    return 2 * x

@entrypoint()
def fine(x: int) -> int:
    return double(x).result()
"""


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes spans as an OTLP collector does."""

    names: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            raise AssertionError("not asked for")
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                type(self).names.extend(span.name for span in scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def collector() -> Generator[tuple[str, list[str]]]:
    Collector.names = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{receiver.server_port}", Collector.names
        receiver.shutdown()
        thread.join()


@pytest.fixture
def app(tmp_path: Path) -> str:
    path = tmp_path / "traced.py"
    path.write_text(APP)
    return str(path)


def traced(collector: str) -> dict[str, str]:
    return {**QUICK, "PENSTOCK_TRACES": "1", "COLLECTOR": collector}


def test_a_collector_gets_the_spans_of_runs(fleet: Fleet, client: Client, app: str) -> None:
    with collector() as (url, names):
        fleet.start(app=app, environ=traced(url))

        assert client.enqueue("fine", 4).result(10) == 8

        until(lambda: sorted(names) == ["run fine", "step double"])


@pytest.mark.parametrize("kind", ["hangs", "raises"])
def test_f111_runs_do_not_notice_an_exporter_that_fails(
    fleet: Fleet, client: Client, app: str, checker: Checker, kind: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}" if kind == "hangs" else kind
        worker = fleet.run(
            program("worker", app, "--grace", "0", "--log-json"),
            {**environment(fleet.url), **traced(url)},
        ).ready()
        began = time.monotonic()

        runs = [client.enqueue("fine", number) for number in range(20)]

        assert [run.result(10) for run in runs] == [2 * number for number in range(20)]
        assert time.monotonic() - began < 10
        assert {run.info().attempt for run in runs} == {1}
        worker.term()
        assert worker.wait(10) == 0, "though spans are left that nobody takes"
    if kind == "raises":
        assert "the runs go on without them" in worker.text()
    checker.check(over=True)
