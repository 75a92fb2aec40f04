"""Where settings come from, and which wins."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import pytest

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.misspelt import UnknownSettingWarning
from penstock.runtime.settings import Settings, load_settings


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_defaults_without_any_source(tmp_path: Path) -> None:
    assert load_settings(environ={}, folder=tmp_path) == Settings()


def test_arguments_win_over_the_environment_and_that_over_the_project(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        '[tool.penstock]\nredis = "redis://p"\nqueue = "p"\nretention = 1\napp = ["a", "b"]',
    )
    environ = {"PENSTOCK_REDIS": "redis://e", "PENSTOCK_QUEUE": "e"}

    settings = load_settings({"redis": "redis://a"}, environ=environ, folder=folder)

    assert settings == Settings(redis="redis://a", queue="e", retention=1.0, app=("a", "b"))


def test_an_argument_that_is_none_was_not_given(tmp_path: Path) -> None:
    settings = load_settings(
        {"redis": None}, environ={"PENSTOCK_REDIS": "redis://e"}, folder=tmp_path
    )

    assert settings.redis == "redis://e"


def test_the_project_is_found_from_a_folder_inside(tmp_path: Path) -> None:
    project(tmp_path, '[tool.penstock]\nqueue = "p"')
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)

    assert load_settings(environ={}, folder=inside).queue == "p"


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Settings)])
def test_every_setting_can_come_from_the_environment(tmp_path: Path, field: str) -> None:
    kind = str(type(getattr(Settings(), field)).__name__)
    given = {"tuple": "x,y", "float": "1.5", "int": "7", "str": "text", "bool": "on"}[kind]

    settings = load_settings(environ={f"PENSTOCK_{field.upper()}": given}, folder=tmp_path)

    found = getattr(settings, field)
    assert type(found).__name__ == kind
    assert found in (("x", "y"), 1.5, 7, "text", True)


def test_a_switch_is_read_from_what_people_write(tmp_path: Path) -> None:
    def read(value: object) -> bool:
        return load_settings({"traces": value}, environ={}, folder=tmp_path).traces

    assert [read(value) for value in (True, "1", "Yes", "true", "on")] == [True] * 5
    assert [read(value) for value in (False, "0", "no", "FALSE", "off")] == [False] * 5
    with pytest.raises(ConfigurationError, match="traces to 'perhaps': it must be true or false"):
        read("perhaps")


@pytest.mark.parametrize("value", ["abc", "1s", " "])
def test_a_number_that_is_none_names_its_source(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"environment.*lease"):
        load_settings(environ={"PENSTOCK_LEASE": value}, folder=tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lease", "0"),
        ("lease", "-1"),
        ("renew", "nan"),
        ("retention", "-5"),
        ("retention", "inf"),
        ("crashes", "0"),
        ("patience", "-1"),
        ("history", "-1"),
    ],
)
def test_a_number_that_cannot_be_names_its_source(tmp_path: Path, field: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"environment sets {field} to .*: it must be"):
        load_settings(environ={f"PENSTOCK_{field.upper()}": value}, folder=tmp_path)


def test_an_unknown_setting_is_refused_with_those_there_are(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.penstock]\nqueues = "p"')

    with pytest.raises(ConfigurationError, match=r"'queues'.*queue"):
        load_settings(environ={}, folder=folder)


def test_a_project_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    folder = project(tmp_path, "[tool.penstock")

    with pytest.raises(ConfigurationError, match=r"pyproject\.toml"):
        load_settings(environ={}, folder=folder)


@pytest.mark.parametrize(
    "variable",
    ["PENSTOCK_REDIS_URL", "RQ_KEY_PREFIX"]
    + [f"PENSTOCK_{field.name.upper()}" for field in dataclasses.fields(Settings)],
)
def test_a_variable_that_is_empty_is_not_set(tmp_path: Path, variable: str) -> None:
    folder = project(tmp_path, '[tool.penstock]\nqueue = "p"\nredis = "redis://p"')

    settings = load_settings(environ={variable: ""}, folder=folder)

    assert settings == Settings(queue="p", redis="redis://p")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("PENSTOCK_PATIENSE", "PENSTOCK_PATIENCE"),
        ("PENSTOCK_LEASES", "PENSTOCK_LEASE"),
        ("PENSTOCK_LEASE_SECONDS", "PENSTOCK_LEASE"),
        ("PENSTOCK_THREAD_RETENSION", "PENSTOCK_THREAD_RETENTION"),
        ("PENSTOCK_REDIS_URI", "PENSTOCK_REDIS_URL"),
        ("PENSTOCK_ENCRYPTION_KEY", "PENSTOCK_ENCRYPTION_KEYS"),
        ("PENSTOCK_queue", "PENSTOCK_QUEUE"),
        ("penstock_lease", "PENSTOCK_LEASE"),
        ("Penstock_Leases", "PENSTOCK_LEASE"),
        ("penstock_redis_url", "PENSTOCK_REDIS_URL"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_setting_that_it_means(
    tmp_path: Path, variable: str, meant: str
) -> None:
    says = f"^{variable} is not a setting; did you mean {meant}\\?$"

    with pytest.warns(UnknownSettingWarning, match=says):
        settings = load_settings(environ={variable: "7"}, folder=tmp_path)

    assert settings == Settings()


@pytest.mark.parametrize("variable", ["PENSTOCK_LOG_LEVEL", "penstock_log_level", "PENSTOCK_"])
def test_a_variable_that_is_like_no_setting_is_named_with_those_that_there_are(
    tmp_path: Path, variable: str
) -> None:
    says = f"^{variable} is not a setting; there are PENSTOCK_REDIS_URL, .*PENSTOCK_LEASE,.*\\.$"

    with pytest.warns(UnknownSettingWarning, match=says):
        settings = load_settings(environ={variable: "7"}, folder=tmp_path)

    assert settings == Settings()


@pytest.mark.parametrize(
    "variable",
    [
        "PENSTOCK_SERVICE_HOST",
        "PENSTOCK_PORT",
        "PENSTOCK_PORT_6379_TCP_ADDR",
        "PENSTOCK_REDIS_SERVICE_HOST",
        "PENSTOCK_REDIS_SERVICE_PORT_REDIS",
        "PENSTOCK_REDIS_PORT_6379_TCP",
        "penstock_service_host",
        "PENSTOCK_TEST_FAULT",
        "OTHER_PATIENSE",
        "PENSTOCKS_LEASE",
    ],
)
def test_what_others_put_into_the_environment_is_not_taken_for_a_setting(
    tmp_path: Path, variable: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert load_settings(environ={variable: "10.0.0.1"}, folder=tmp_path) == Settings()
