"""Which environments a folder has, and the projects that they get without settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dartsctl.config.load_settings import load
from dartsctl.config.settings import Settings
from fakes.settings_files import settings_of, touch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("files", "dev", "has_production"),
    [
        # what `docker compose up` has called it so far
        ("compose.yaml", "shop", False),
        ("docker-compose.yml docker-compose.override.yml", "shop", False),
        # not alone, or not what Compose takes by itself
        ("compose.yaml compose.prod.yaml", "shop-dev", True),
        ("compose.yaml deploy/compose.production.yaml", "shop-dev", True),
        ("compose.yaml compose.dev.yaml", "shop-dev", True),
        ("compose.dev.yaml", "shop-dev", False),
        ("docker/compose.yaml", "shop-dev", False),
        ("", "shop-dev", False),
    ],
)
def test_a_plain_stack_without_production_keeps_the_name_that_compose_gives(
    shop: Path, files: str, dev: str, has_production: bool
) -> None:
    touch(shop, *files.split())
    settings = load(shop, {})
    assert settings.environments["dev"].project == dev
    assert ("prod" in settings.stacks) == has_production
    assert settings.production_project == ("shop" if has_production else "")


@pytest.mark.parametrize(
    ("text", "project"),
    [
        ("name: my-shop # here\nservices: {}\n", "my-shop"),
        ("services: {}\nname: 'my-shop'\n", "my-shop"),
        ("name: ${WHAT}\nservices: {}\n", "shop"),
        ("services:\n  web:\n    name: no\n", "shop"),
    ],
)
def test_a_name_that_the_file_gives_itself_counts(shop: Path, text: str, project: str) -> None:
    (shop / "compose.yaml").write_text(text)
    assert load(shop, {}).environments["dev"].project == project


def test_a_plain_file_of_production_keeps_the_name_that_compose_gives(shop: Path) -> None:
    touch(shop, "compose.dev.yaml")
    (shop / "compose.yaml").write_text("name: my-shop\nservices: {}\n")
    assert projects(load(shop, {})) == ("shop-dev", "my-shop")
    assert projects(settings_of(shop, 'name = "other"')) == ("other-dev", "other")


def projects(settings: Settings) -> tuple[str, str]:
    """Return the projects of dev and production."""
    return settings.environments["dev"].project, settings.environments["prod"].project


@pytest.mark.parametrize(
    "text", ['name = "shop"', "[prod]\nwait_timeout = 5", "[ports.production]\nweb = 80"]
)
def test_settings_that_know_a_name_or_a_production_keep_the_documented_names(
    shop: Path, text: str
) -> None:
    touch(shop, "compose.yaml")
    assert settings_of(shop, text).environments["dev"].project == "shop-dev"


def test_the_variable_names_a_project_unless_it_is_productions(shop: Path) -> None:
    touch(shop, "compose.yaml")
    environ = {"COMPOSE_PROJECT_NAME": "mine"}
    assert load(shop, environ).environments["dev"].project == "mine"
    assert settings_of(shop, '[dev]\nproject = "x"', environ).environments["dev"].project == "x"
    touch(shop, "compose.prod.yaml")
    environ = {"COMPOSE_PROJECT_NAME": "shop"}
    (shop / "dartsctl.toml").unlink()
    assert load(shop, environ).environments["dev"].project == "shop-dev"
    environ["COMPOSE_FILE"] = "compose.yaml:compose.prod.yaml"
    environ["COMPOSE_PROJECT_NAME"] = "live"
    projects = load(shop, environ).environments
    assert (projects["dev"].project, projects["prod"].project) == ("shop-dev", "live")
