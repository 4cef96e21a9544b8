"""Conventional files: which names are picked, and the lines to write where none fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.conventional_files import names_in
from dartsctl.config.environment import Environment, resolve
from dartsctl.config.settings import load
from dartsctl.errors import Advice, UsageError
from fakes.settings_files import settings_of, touch

# --- Compose files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("dev", "compose/dev.yml"),
        ("dev", "docker-compose-localhost.yml"),
        ("dev", "docker-compose.yml"),
        ("prod", "docker-compose.production.yaml"),
        ("prod", "deploy/compose.prod.yml"),
    ],
)
def test_a_file_is_picked_by_its_name_and_that_is_known(shop: Path, name: str, file: str) -> None:
    touch(shop, file, ".env.production")
    environment = resolve(load(shop, {}), name)
    assert environment.files == (shop / file,)
    assert environment.choice == f"{name}: {file}"
    assert environment.are_files_picked


def test_files_of_the_settings_are_no_choice(shop: Path) -> None:
    touch(shop, "mine.yml", "compose.yaml")
    environment = resolve(settings_of(shop, '[dev]\nfiles = ["mine.yml"]\n'), "dev")
    assert not environment.are_files_picked


def test_an_overlay_is_joined_with_its_base_and_asked_about_with_its_env_files(shop: Path) -> None:
    touch(shop, "docker-compose.yml", "docker-compose.prod.yml", ".env.production")
    asked: list[Environment] = []

    def is_complete(environment: Environment) -> bool:
        asked.append(environment)
        return len(environment.files) > 1

    environment = resolve(load(shop, {}), "prod", is_complete=is_complete)
    assert environment.choice == "prod: docker-compose.yml + docker-compose.prod.yml"
    assert [len(candidate.files) for candidate in asked] == [1, 2]
    assert asked[-1] == environment


def test_a_file_with_a_general_name_counts_only_if_it_is_a_compose_file(shop: Path) -> None:
    (shop / "local.yml").write_text("# Local\nservices:\n  web: {image: x}\n")
    (shop / "production.yml").write_text("hosts: [a]\n")
    (shop / "docker").mkdir()
    (shop / "docker" / "base.yml").write_text("include: [a.yml]\r\n")
    (shop / "compose.dev.yml").mkdir()
    assert names_in(shop) == ("local.yml", "docker/base.yml")


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
    touch(shop, "docker-compose-prod.yml", "docker-compose-production.yml", ".env.production")
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "prod")
    assert caught.value.message == (
        f"several Compose files for prod in {shop}: "
        "docker-compose-prod.yml, docker-compose-production.yml"
    )
    assert caught.value.details == (
        f"add to {shop}/dartsctl.toml:",
        "  [prod]",
        '  files = ["docker-compose-prod.yml"]   # or',
        '  files = ["docker-compose-production.yml"]',
        "or check files without settings:",
    )
    assert caught.value.hint == f"dartsctl check -f {shop}/docker-compose-prod.yml"


def test_a_plain_file_is_offered_for_production_but_not_picked(shop: Path) -> None:
    touch(shop, "docker-compose.yml")
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "prod")
    assert caught.value.message == f"no Compose file for prod in {shop}"
    assert caught.value.details[:3] == (
        f"add to {shop}/dartsctl.toml:",
        "  [prod]",
        '  files = ["docker-compose.yml"]',
    )
    assert caught.value.hint == f"dartsctl check -f {shop}/docker-compose.yml"


def test_of_many_files_only_some_are_listed(shop: Path) -> None:
    touch(shop, *(f"docker-compose.{number}.yml" for number in range(100)))
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "dev")
    assert len(caught.value.details) < 12
    assert "  # or one of 94 more" in caught.value.details


def test_without_any_compose_file_the_next_step_is_init(shop: Path) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "dev")
    assert caught.value.message == f"no Compose file for dev in {shop}"
    assert caught.value.hint == "dartsctl init"
    assert not isinstance(caught.value.hint, Advice)


def test_the_lines_to_write_fit_the_file_that_holds_the_settings(shop: Path) -> None:
    touch(shop, "compose.yaml")
    (shop / "pyproject.toml").write_text("[tool.dartsctl.environment.qa]\n")
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "qa")
    assert caught.value.details[:2] == (
        f"add to {shop}/pyproject.toml:",
        "  [tool.dartsctl.environment.qa]",
    )
