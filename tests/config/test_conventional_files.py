"""Conventional files: which names are picked, and the lines to write where none fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.conventional_files import CONVENTIONAL
from dartsctl.config.environment import Environment, resolve
from dartsctl.config.settings import load
from dartsctl.errors import Advice, UsageError
from fakes.settings_files import settings_of, touch

# --- Compose files -----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".yml", ".yaml"])
@pytest.mark.parametrize(
    ("name", "stem"), [(name, stem) for name, stems in CONVENTIONAL.items() for stem in stems]
)
def test_each_conventional_name_is_picked(shop: Path, name: str, stem: str, ending: str) -> None:
    touch(shop, stem + ending, ".env.production")
    environment = resolve(load(shop, {}), name)
    assert environment.files == (shop / (stem + ending),)
    assert (environment.name, environment.directory, environment.is_production) == (
        name,
        shop,
        name == "prod",
    )


def test_another_environment_has_conventional_names_too(shop: Path) -> None:
    touch(shop, "compose/staging.yml", ".env.staging")
    environment = resolve(settings_of(shop, "[environment.staging]\n"), "staging")
    assert environment == Environment(
        name="staging",
        files=(shop / "compose/staging.yml",),
        env_files=(shop / ".env.staging",),
        project="shop-staging",
        profiles=(),
        directory=shop,
        siblings=frozenset({"shop", "shop-dev"}),
        has_copies=True,
    )


def test_several_candidates_are_listed_with_the_lines_to_write(shop: Path) -> None:
    touch(shop, "docker-compose-wso2.yml", "docker-compose-production.yml", ".env.production")
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "prod")
    assert caught.value.message == (
        f"several Compose files for prod in {shop}: "
        "docker-compose-production.yml, docker-compose-wso2.yml"
    )
    assert caught.value.details == (
        f"add to {shop}/dartsctl.toml:",
        "  [prod]",
        '  files = ["docker-compose-production.yml"]   # or',
        '  files = ["docker-compose-wso2.yml"]',
        "or check a file without settings:",
    )
    assert caught.value.hint == f"dartsctl check -f {shop}/docker-compose-production.yml"


def test_without_candidates_the_lines_to_write_and_the_valid_names_are_listed(shop: Path) -> None:
    touch(shop, "docker-compose.yml")
    (shop / "compose.dev.yml").mkdir()
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "dev")
    assert caught.value.message == f"no Compose file for dev in {shop}"
    assert caught.value.details[:3] == (
        f"add to {shop}/dartsctl.toml:",
        "  [dev]",
        '  files = ["docker-compose.yml"]',
    )
    assert caught.value.hint == "dartsctl check"
    assert not isinstance(caught.value.hint, Advice)
    assert (
        "compose/dev, compose.dev, docker-compose-dev, docker-compose.dev, docker-compose-localhost"
        in caught.value.details[3]
    )


def test_without_any_compose_file_the_hint_is_no_command_to_paste(shop: Path) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "dev")
    assert '  files = ["PATH/TO/COMPOSE.yml"]' in caught.value.details
    assert isinstance(caught.value.hint, Advice)


def test_the_lines_to_write_fit_the_file_that_holds_the_settings(shop: Path) -> None:
    (shop / "pyproject.toml").write_text("[tool.dartsctl.environment.qa]\n")
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "qa")
    assert caught.value.details[:2] == (
        f"add to {shop}/pyproject.toml:",
        "  [tool.dartsctl.environment.qa]",
    )
