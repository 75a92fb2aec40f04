from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.executor.app import AnyExecutable
from penstock.runtime.workflow.entrypoint import Entrypoint
from penstock.worker.process.app_loader import load_app

FLOW = """
from penstock.runtime import entrypoint

@entrypoint({options})
def {name}(x: int) -> int:
    return x
"""


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a test imports is forgotten, and where it looked for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def module_of(entrypoint: AnyExecutable) -> str:
    assert isinstance(entrypoint, Entrypoint)
    return entrypoint.body.function.__module__


def write(path: str, name: str = "flow", options: str = "") -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(FLOW.format(name=name, options=options))
    return path


def test_a_file_is_loaded_by_its_path() -> None:
    assert list(load_app([write("flows_one.py")]).entrypoints) == ["flow"]


def test_a_file_is_imported_under_the_name_a_script_beside_it_would_use() -> None:
    write("deep/flows_two.py")

    entrypoint = load_app(["deep/flows_two.py"]).entrypoints["flow"]

    assert module_of(entrypoint) == "flows_two"


def test_a_file_of_a_package_is_imported_as_part_of_it() -> None:
    write("shop_three/orders/flows.py")
    for folder in ("shop_three", "shop_three/orders"):
        Path(folder, "__init__.py").touch()

    by_file = load_app(["shop_three/orders/flows.py"]).entrypoints
    by_name = load_app(["shop_three.orders.flows"]).entrypoints

    assert by_file["flow"] is by_name["flow"]
    assert module_of(by_file["flow"]) == "shop_three.orders.flows"


def test_a_package_is_loaded_by_its_init_file() -> None:
    write("shop_four/__init__.py")

    found = load_app(["shop_four/__init__.py"]).entrypoints["flow"]

    assert module_of(found) == "shop_four"


def test_a_module_below_the_folder_is_found() -> None:
    write("flows_five.py")

    assert list(load_app(["flows_five"]).entrypoints) == ["flow"]


def test_several_sources_are_one_app() -> None:
    sources = [write("flows_six.py", "one"), write("flows_seven.py", "two")]

    assert sorted(load_app(sources).entrypoints) == ["one", "two"]


def test_an_entrypoint_that_another_module_imports_is_no_second_one() -> None:
    write("flows_eight.py")
    Path("flows_nine.py").write_text("from flows_eight import flow\n")

    assert list(load_app(["flows_eight.py", "flows_nine.py"]).entrypoints) == ["flow"]


def test_two_entrypoints_of_one_name_are_refused() -> None:
    sources = [write("flows_ten.py"), write("flows_eleven.py", "other", "name='flow'")]

    with pytest.raises(ConfigurationError, match="two entrypoints are named 'flow'"):
        load_app(sources)


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ([], "no app given"),
        (["missing.py"], "there is no file 'missing.py'"),
        (["missing"], "no module named 'missing'"),
        (["json.missing"], "no module named 'json.missing'"),
        (["json"], "json defines no entrypoint"),
    ],
)
def test_what_cannot_be_found_is_told_with_a_fix(sources: list[str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load_app(sources)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 / 0\n", "ZeroDivisionError: division by zero .*broken.py, line 1"),
        ("\nx = (\n", "SyntaxError: .*broken.py, line 2"),
        ("import no_such_module_at_all\n", "No module named 'no_such_module_at_all'.*line 1"),
        ("from penstock.runtime import nothing\n", "ImportError: .*line 1"),
    ],
)
def test_an_app_that_breaks_names_file_and_line(text: str, says: str) -> None:
    Path("broken.py").write_text(text)

    with pytest.raises(ConfigurationError, match=says):
        load_app(["broken.py"])
