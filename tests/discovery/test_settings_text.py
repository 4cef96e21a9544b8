"""The settings file that `init` writes: accepted, in one order, each line with its reason."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dartsctl.config.load_settings import load
from dartsctl.discovery.proposal import ProposedSetting
from dartsctl.discovery.settings_text import merged, new_text, tables_text
from dartsctl.errors import UsageError

EVERY_TABLE = (
    ProposedSetting("server.env", "DB_HOST", "{db.host}", "app.py:12"),
    ProposedSetting("server", "health", "/health", "app.py:40"),
    ProposedSetting("doctor", "proxy", "edge", "compose.yaml:3"),
    ProposedSetting("ports.production", "my.app", [80, 443], "compose.yaml:9"),
    ProposedSetting("ports.production", "web", 8080, "compose.yaml:10"),
    ProposedSetting("environment.qa", "files", ["compose.qa.yaml"], "by its name"),
    ProposedSetting("prod", "wait_timeout", 240.0, "the health checks need up to 4 min"),
    ProposedSetting("server", "command", ["{python}", "run.py"], "Dockerfile:7"),
    ProposedSetting("prod", "files", ["compose.yaml"], "named on the command line"),
    ProposedSetting("ports", "dev_range", "6001-6050", "5001 is production's"),
    ProposedSetting("dev", "files", ["compose.yaml", "compose.dartsctl.yaml"], "made by init"),
    ProposedSetting("", "name", "shop", "the folder's name"),
)


def test_the_tables_have_one_order_and_each_line_has_its_reason() -> None:
    assert new_text(EVERY_TABLE) == (
        "# Settings of dartsctl. All keys: its docs/reference.md.\n"
        "# Relative paths are relative to this file.\n"
        'name = "shop"  # the folder\'s name\n'
        "\n[dev]\n"
        'files = ["compose.yaml", "compose.dartsctl.yaml"]  # made by init\n'
        "\n[prod]\n"
        'files = ["compose.yaml"]  # named on the command line\n'
        "wait_timeout = 240  # the health checks need up to 4 min\n"
        "\n[environment.qa]\n"
        'files = ["compose.qa.yaml"]  # by its name\n'
        "\n[ports]\n"
        'dev_range = "6001-6050"  # 5001 is production\'s\n'
        "\n[ports.production]\n"
        '"my.app" = [80, 443]  # compose.yaml:9\n'
        "web = 8080  # compose.yaml:10\n"
        "\n[server]\n"
        'command = ["{python}", "run.py"]  # Dockerfile:7\n'
        'health = "/health"  # app.py:40\n'
        "\n[server.env]\n"
        'DB_HOST = "{db.host}"  # app.py:12\n'
        "\n[doctor]\n"
        'proxy = "edge"  # compose.yaml:3\n'
    )


def test_the_settings_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "dartsctl.toml").write_text(new_text(EVERY_TABLE))
    settings = load(tmp_path, {})
    assert settings.environments["prod"].wait_timeout == 240
    assert settings.ports.production == {"my.app": (80, 443), "web": (8080,)}
    assert settings.server.env == {"DB_HOST": "{db.host}"}


@pytest.mark.parametrize(
    "value",
    [
        'say "hi"',
        "back\\slash\\n",
        "Größe/пример/例",
        "tab\tnew\nline",
        "\x7f\x01",
        "# no comment",
        "'single'",
        "it's \u2028 a line",
        "",
    ],
)
def test_any_text_is_read_back_as_it_was(tmp_path: Path, value: str) -> None:
    text = new_text([ProposedSetting("server.env", "A", value, value)])
    assert tomllib.loads(text) == {"server": {"env": {"A": value}}}
    (tmp_path / "dartsctl.toml").write_text(text, encoding="utf-8")
    assert load(tmp_path, {}).server.env == {"A": value}


def test_a_name_that_no_settings_file_can_contain_is_refused() -> None:
    with pytest.raises(UsageError, match=r"not UTF-8: compose\\xff\.yaml"):
        new_text([ProposedSetting("dev", "files", ["compose\udcff.yaml"])])


def test_a_default_is_a_comment_with_its_header_and_minimal_leaves_it_out() -> None:
    settings = [
        ProposedSetting("prod", "files", ["compose.prod.yaml"], "by its name", is_default=True),
        ProposedSetting("server", "command", ["{python}", "x.py"], "Procfile:1"),
        ProposedSetting("server", "health", "/", "app.py:3", is_default=True),
    ]
    text = new_text(settings)
    assert '# [prod]\n# files = ["compose.prod.yaml"]  # by its name\n' in text
    assert '\n[server]\ncommand = ["{python}", "x.py"]  # Procfile:1\n# health = "/"' in text
    assert new_text(settings, minimal=True) == '[server]\ncommand = ["{python}", "x.py"]\n'
    assert new_text(settings[:1], minimal=True) == ""


def test_long_lines_are_folded_and_their_reason_stands_above() -> None:
    files = [f"deploy/docker-compose.{name}.yaml" for name in ("first", "second", "third")]
    text = new_text([ProposedSetting("prod", "files", files, "COMPOSE_FILE in .env:1")])
    assert text.endswith(
        "\n[prod]\n# COMPOSE_FILE in .env:1\nfiles = [\n"
        + "".join(f'    "{file}",\n' for file in files)
        + "]\n"
    )
    assert max(map(len, text.splitlines())) <= 100


def test_the_first_of_two_settings_about_one_key_counts() -> None:
    settings = [
        ProposedSetting("server", "health", "/a"),
        ProposedSetting("server", "health", "/b"),
    ]
    assert tomllib.loads(new_text(settings)) == {"server": {"health": "/a"}}


def test_tables_of_pyproject_have_its_prefix() -> None:
    tables = {"server.env": [ProposedSetting("server.env", "A", "1")]}
    text = tables_text(tables, prefix=("tool", "dartsctl"))
    assert tomllib.loads(text) == {"tool": {"dartsctl": {"server": {"env": {"A": "1"}}}}}


def test_a_long_reason_is_folded() -> None:
    text = new_text([ProposedSetting("ports.production", "web", 80, "published by a file " * 9)])
    assert max(map(len, text.splitlines())) <= 100
    assert tomllib.loads(text) == {"ports": {"production": {"web": 80}}}


def test_merged_settings_have_the_order_of_the_file_and_each_key_once() -> None:
    settings = [
        ProposedSetting("server", "health", "/a"),
        ProposedSetting("dev", "files", ["a"]),
        ProposedSetting("dev", "files", ["b"], is_default=True),
    ]
    assert merged(settings) == (settings[1], settings[0])
