"""Where the settings of a gateway come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.gateway.settings import GatewaySettings, load_gateway_settings
from penstock.publisher.errors import ConfigurationError
from penstock.runtime.misspelt import UnknownSettingWarning
from penstock.runtime.settings import load_settings


def test_arguments_win_over_the_environment_and_that_over_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.penstock]\nprefix = "p"\n'
        '[tool.penstock.gateway]\nport = 1\ndrain = 2\nhosts = ["a", "b"]\n'
    )
    environ = {"PENSTOCK_GATEWAY_PORT": "3", "PENSTOCK_GATEWAY_ORIGINS": "https://a,https://b"}

    found = load_gateway_settings({"pulse": 7, "host": None}, environ=environ, folder=tmp_path)

    assert found == GatewaySettings(
        port=3, drain=2.0, hosts=("a", "b"), origins=("https://a", "https://b"), pulse=7.0
    )
    assert load_settings(environ=environ, folder=tmp_path).prefix == "p"


def test_what_is_no_setting_is_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.penstock.gateway]\nprot = 1\n")

    with pytest.raises(ConfigurationError, match="'prot', which is no setting"):
        load_gateway_settings(environ={}, folder=tmp_path)
    with pytest.warns(UnknownSettingWarning, match="mean PENSTOCK_GATEWAY_PORT"):
        load_gateway_settings(environ={"PENSTOCK_GATEWAY_PROT": "1"}, folder=tmp_path.parent)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("", False)],
)
def test_only_this_machine_reaches_loopback(host: str, is_loopback: bool) -> None:
    assert GatewaySettings(host=host).is_loopback is is_loopback
