"""Every figure of the benchmarks can be measured; how large it is says `make bench`, not a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.figures import FIGURES
from benchmarks.harness import AT_LEAST, AT_MOST, TINY, Bar, Bench, Row, Sample, beside, rounds
from benchmarks.scale import SMALL, measure, written


@pytest.mark.open_runs  # the run that is replayed asks for more
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_measured(name: str, redis_url: str) -> None:
    rows = FIGURES[name](Bench(redis_url, TINY))

    assert rows or name == "unused"  # which needs the history of the repository
    assert all(row.measured.low > 0 for row in rows)
    assert all(row.bars or "is not installed" in row.figure for row in rows)
    assert all(row.limit is not None for row in rows for bar in row.bars if bar.of == "ratio")
    assert all(report.line(row).count("|") == 7 for row in rows)


@pytest.mark.open_runs  # those that are queued, and the one that is replayed
def test_costs_that_grow_can_be_measured(redis_url: str, tmp_path: Path) -> None:
    tables = measure(redis_url, SMALL)

    text = written(tables, ["a machine"], tmp_path / "SCALE.md").read_text()

    assert all(len(row) == len(table.columns) for table in tables for row in table.rows.values())
    assert all(each in text for table in tables for each in (table.name, *table.rows))


def test_parts_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    values = iter(range(100))

    def part(name: str) -> float:
        order.append(name)
        return float(next(values))

    samples = rounds(2, {"a": lambda: part("a"), "b": lambda: part("b")})

    assert order == ["b", "a", "a", "b", "b", "a"]
    assert samples == {"a": Sample((2.0, 5.0)), "b": Sample((3.0, 4.0))}


def test_a_limit_is_measured_on_both_sides_of_what_it_limits() -> None:
    limits = iter([9.0, 9.0, 1.0, 3.0, 5.0, 7.0])

    assert beside(lambda: next(limits), 2, {"a": lambda: 4.0}) == {
        "a": (Sample((4.0, 4.0)), Sample((2.0, 6.0)))
    }


def test_a_bar_is_of_the_figure_or_of_its_ratio() -> None:
    row = Row("f", "s", Sample((4.0, 8.0, 6.0)), Sample((2.0, 2.0, 2.0)))

    assert Bar(AT_MOST, 6).reached(row)
    assert not Bar(AT_MOST, 5.9).reached(row)
    assert Bar(AT_LEAST, 3, "ratio").reached(row)
    assert not Bar(AT_LEAST, 3.1, "ratio").reached(row)


def test_the_report_says_why_a_bar_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    rows = [
        Row("fast", "s", Sample((1.0,)), bars=[Bar(AT_MOST, 2)], note="never shown"),
        Row("slow", "s", Sample((3.0,)), bars=[Bar(AT_MOST, 2)], note="it does too much"),
    ]

    text = report.write(rows, ["2 cores"]).read_text()

    assert "| fast | 1 s | - | - | <= 2 s | yes |" in text
    assert "| slow | 3 s | - | - | <= 2 s | **no** |" in text
    assert "- slow: it does too much" in text
    assert "never shown" not in text
