"""The host server's interpreter and command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dartsctl.config.load_settings import load
from dartsctl.config.server_program import python_for, server_command
from dartsctl.config.trust import Trust
from dartsctl.errors import UsageError
from fakes.settings_files import settings_of, touch

# --- Compose files -----------------------------------------------------------------------------


def interpreter(folder: Path, environment: str) -> str:
    python = folder / environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return str(python)


def test_the_apps_virtual_environment_wins_and_its_link_is_not_followed(shop: Path) -> None:
    app = shop / "app"
    assert python_for(app, shop, trust=Trust()) == sys.executable
    outer = interpreter(shop, ".venv")
    assert python_for(app, shop, trust=Trust()) == outer
    plain = interpreter(app, "venv")
    assert python_for(app, shop, trust=Trust()) == plain
    hidden = interpreter(app, ".venv")
    assert python_for(app, shop, trust=Trust()) == hidden


def test_a_broken_virtual_environment_is_skipped(shop: Path) -> None:
    (shop / ".venv/bin").mkdir(parents=True)
    (shop / ".venv/bin/python").symlink_to("/gone/python3")
    assert python_for(shop, trust=Trust()) == sys.executable


def test_the_servers_command_is_the_configured_one_or_the_conventional_entry_point(
    shop: Path,
) -> None:
    touch(shop, "app.py")
    assert server_command(load(shop, {})) == ("{python}", "app.py")
    touch(shop, "run.py")
    assert server_command(load(shop, {})) == ("{python}", "run.py")
    assert server_command(settings_of(shop, '[server]\ncommand = ["flask", "run"]')) == (
        "flask",
        "run",
    )


def test_without_a_command_the_lines_to_write_are_shown(shop: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^no server command in the settings, and no run.py or app.py in "
    ) as caught:
        server_command(load(shop, {}))
    assert caught.value.details == (
        f"add to {shop}/dartsctl.toml:",
        "  [server]",
        '  command = ["{python}", "FILE.py"]',
        "or name the command once: dartsctl run -- COMMAND...",
        "or let dartsctl look for it:",
    )
    assert caught.value.hint == "dartsctl init"


def test_after_init_has_looked_the_services_can_be_started_alone(shop: Path) -> None:
    with pytest.raises(UsageError) as caught:
        server_command(settings_of(shop, ""))
    assert caught.value.details[-1] == "or start the services without a server:"
    assert caught.value.hint == "dartsctl dev up"
    with pytest.raises(UsageError) as caught:
        server_command(settings_of(shop, "[dev]\nfiles = []"))
    assert caught.value.hint == "dartsctl init"


def test_a_missing_server_folder_is_named_with_its_key(shop: Path) -> None:
    settings = settings_of(shop, '[server]\ndirectory = "src"\ncommand = ["flask", "run"]')
    with pytest.raises(
        UsageError, match=rf"^dartsctl.toml:2: server.directory: no such folder: {shop}/src$"
    ):
        server_command(settings)
