"""The dashboard, the alerts and the manifests of the pages, against the program that there is."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml

from penstock.worker.cli import main
from penstock.worker.health.address import Address
from tests.docs.page import ROOT, Page
from tests.docs.tables import process_metrics, redis_metrics

FOLDER = ROOT / "docs" / "monitoring"
DEPLOY = Page(ROOT / "docs" / "how-to" / "deploy.md")
MONITOR = Page(ROOT / "docs" / "how-to" / "monitor.md")

_NAME = re.compile(r"\bpenstock_\w+")
_LABELS = re.compile(r"(penstock_\w+)\{([^}]*)\}")
_BY = re.compile(r"\bby \(([^)]*)\)")
_ROW = re.compile(r"^\| `(penstock_\w+)` \| (\w+) \| (.*?) \|", re.MULTILINE)

FROM_PROMETHEUS = {"le", "instance", "job", "process"}


def metrics() -> dict[str, set[str]]:
    """The series that there are, each with its labels."""
    found: dict[str, set[str]] = {}
    for name, kind, labels in _ROW.findall("\n".join([*process_metrics(), *redis_metrics()])):
        names = [name]
        if kind == "histogram":
            names = [f"{name}_{part}" for part in ("bucket", "sum", "count")]
        for each in names:
            found[each] = set(re.findall(r"`(\w+)`", labels))
    return found


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / "grafana.json").read_text())["panels"])


def manifests(page: Page) -> Iterator[dict[str, Any]]:
    for block in page.blocks():
        if block.language == "yaml":
            yield from yaml.safe_load_all(block.text)


def queries() -> list[str]:
    keda = [each for each in manifests(DEPLOY) if each.get("kind") == "ScaledObject"]
    return [
        *(rule["expr"] for rule in alerts()),
        *(target["expr"] for panel in panels() for target in panel["targets"]),
        *(trigger["metadata"]["query"] for each in keda for trigger in each["spec"]["triggers"]),
    ]


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_metrics_and_labels_that_exist(query: str) -> None:
    known = metrics()

    asked = _NAME.findall(query)
    assert asked
    assert [name for name in asked if name not in known] == []
    for name, matchers in _LABELS.findall(query):
        assert {*re.findall(r"(\w+)\s*[!=]", matchers)} <= known[name]
    labels = set[str]().union(*(known[name] for name in asked)) | FROM_PROMETHEUS
    for group in _BY.findall(query):
        assert {each.strip() for each in group.split(",")} <= labels


def test_every_metric_is_on_the_dashboard_but_sums_and_counts() -> None:
    shown = {name for panel in panels() for name in _NAME.findall(str(panel["targets"]))}

    wanted = {name for name in metrics() if not name.endswith(("_sum", "_count"))}
    assert wanted - shown - {"penstock_queue_depth"} == set()  # the backlog has it


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    dashboard = json.loads((FOLDER / "grafana.json").read_text())

    assert dashboard["schemaVersion"] >= 30
    assert len({panel["id"] for panel in panels()}) == len(panels())
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()}
    assert len(places) == len(panels())


def test_the_page_says_what_to_do_about_each_alert() -> None:
    named = set(re.findall(r"^\| `(Penstock\w+)` \|", MONITOR.text, re.MULTILINE))

    assert named == {rule["alert"] for rule in alerts()}
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """The options of a command line, as the program reads them."""
    assert words[0].rpartition("/")[2] == "penstock"
    command = main.get_command(click.Context(main), words[1])
    assert command is not None
    context = command.make_context(words[1], list(words[2:]))  # or a usage error
    return words[1], dict(context.params)


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for each in manifests(DEPLOY):
        if each.get("kind") == "Deployment":
            pod = each["spec"]["template"]
            for container in pod["spec"]["containers"]:
                yield pod, container


def test_kubernetes_starts_commands_with_options_that_they_have() -> None:
    started = {parsed(container["args"])[0] for _, container in containers()}

    assert started == {"worker", "exporter"}


def test_kubernetes_asks_and_ends_a_worker_as_it_is_started() -> None:
    for pod, container in containers():
        name, options = parsed(container["args"])
        (port,) = (each["containerPort"] for each in container["ports"])
        told = options["health"] if name == "worker" else options["listen"]
        assert Address.parse(told) == Address("", port)
        assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(port)
        if name == "worker":
            assert pod["spec"]["terminationGracePeriodSeconds"] >= options["grace"] + 5
            paths = {
                probe: container[probe]["httpGet"]["path"]
                for probe in ("startupProbe", "livenessProbe", "readinessProbe")
            }
            assert paths == dict.fromkeys(paths, "/live") | {"readinessProbe": "/ready"}
            assert {container[probe]["httpGet"]["port"] for probe in paths} == {"health"}


def test_autoscalers_scale_the_worker_by_its_backlog() -> None:
    names = {container["name"] for _, container in containers()}
    scalers = [
        each
        for each in manifests(DEPLOY)
        if each.get("kind") in ("ScaledObject", "HorizontalPodAutoscaler")
    ]

    assert len(scalers) == 2
    for each in scalers:
        assert each["spec"]["scaleTargetRef"]["name"] in names
        assert "penstock_backlog" in str(each)


def test_systemd_starts_and_ends_a_worker_as_it_needs() -> None:
    (unit,) = (block.text for block in DEPLOY.blocks() if block.language == "ini")
    read = configparser.RawConfigParser()
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(unit.replace("%i", "1"))
    service = read["Service"]

    name, options = parsed(shlex.split(service["ExecStart"]))

    assert name == "worker"
    assert int(service["TimeoutStopSec"]) >= options["grace"] + 5
    assert Address.parse(options["health"]) == Address("127.0.0.1", 9101)
    assert options["health_file"].startswith(f"/run/{service['RuntimeDirectory']}/")
    assert service["KillMode"] == "mixed", "the supervisor passes the signal on"


def test_compose_becomes_the_worker() -> None:
    (compose,) = (each for each in manifests(DEPLOY) if "services" in each)
    worker = compose["services"]["worker"]
    shell, option, script = worker["command"]

    assert (shell, option) == ("sh", "-c")
    _, options = parsed(shlex.split(script.partition("exec ")[2]))
    assert f":{options['health']}/ready" in worker["healthcheck"]["test"][-1]
    assert int(worker["stop_grace_period"].removesuffix("s")) >= options["grace"] + 5
    assert set(worker["secrets"]) == set(compose["secrets"])
