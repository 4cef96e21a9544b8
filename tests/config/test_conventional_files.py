"""Conventional files: which names are picked, and the lines to write where none fits."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dartsctl.config.environment import Environment, resolve
from dartsctl.config.listing import names_in
from dartsctl.config.load_settings import load
from dartsctl.errors import Advice, UsageError
from fakes.settings_files import settings_of, touch


@dataclass(frozen=True, slots=True)
class Reader:
    """A Compose that reads `complete_from` files together, with the services of `profiles`."""

    asked: list[Environment] = field(default_factory=list)
    complete_from: int = 1
    profiles: tuple[str, ...] = ()

    def is_complete(self, environment: Environment) -> bool:
        self.asked.append(environment)
        return len(environment.files) >= self.complete_from

    def has_profile(self, environment: Environment) -> bool:
        self.asked.append(environment)
        return environment.profiles[0] in self.profiles


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
    assert environment.picked == f"{name}: {file}"


def test_files_of_the_settings_are_no_choice(shop: Path) -> None:
    touch(shop, "mine.yml", "compose.yaml")
    environment = resolve(settings_of(shop, '[dev]\nfiles = ["mine.yml"]\n'), "dev")
    assert environment.picked == ""


def test_an_overlay_is_joined_with_its_base_and_asked_about_with_its_env_files(shop: Path) -> None:
    touch(shop, "docker-compose.yml", "docker-compose.prod.yml", ".env.production")
    asked: list[Environment] = []
    environment = resolve(load(shop, {}), "prod", reader=Reader(asked, complete_from=2))
    assert environment.picked == "prod: docker-compose.yml + docker-compose.prod.yml"
    assert [len(candidate.files) for candidate in asked] == [1, 2]
    assert asked[-1] == environment


PROFILES = """services:
  web: {image: x}
  debugger: {image: x, profiles: [dev, tools]}
  proxy:
    image: x
    profiles:
      - prod
"""


def test_profiles_named_dev_and_prod_make_two_stacks_of_one_plain_file(shop: Path) -> None:
    (shop / "compose.yaml").write_text(PROFILES)
    touch(shop, "compose.override.yaml")
    settings = load(shop, {})
    reader = Reader(profiles=("dev", "prod"))
    dev, prod = (resolve(settings, name, reader=reader) for name in ("dev", "prod"))
    assert dev.picked == "dev: compose.yaml + compose.override.yaml, profile dev"
    assert prod.picked == "prod: compose.yaml, profile prod"
    assert (dev.profiles, prod.profiles) == (("dev",), ("prod",))
    assert (dev.project, prod.project) == ("shop-dev", "shop")


def test_a_profile_named_after_an_environment_of_the_settings_makes_its_stack(shop: Path) -> None:
    (shop / "compose.yaml").write_text(PROFILES.replace("prod", "staging"))
    settings = settings_of(shop, "[environment.staging]\n[environment.qa]")
    reader = Reader(profiles=("staging",))
    picked = resolve(settings, "staging", reader=reader).picked
    assert picked == "staging: compose.yaml, profile staging"
    with pytest.raises(UsageError, match="no Compose file for qa"):
        resolve(settings, "qa", reader=reader)


@pytest.mark.parametrize(
    ("text", "is_asked"),
    [
        (PROFILES, True),
        ("include: [more.yaml]\n", True),
        ("services: {web: {image: x, environment: {MODE: dev}, profiles: [tools]}}\n", False),
        ("services: {web: {image: dev}}\n", False),
    ],
)
def test_compose_is_asked_only_about_profiles_that_may_be_there(
    shop: Path, text: str, is_asked: bool
) -> None:
    (shop / "compose.yaml").write_text(text)
    reader = Reader()
    assert resolve(load(shop, {}), "dev", reader=reader).profiles == ()
    assert bool(reader.asked) == is_asked


def test_profiles_that_somebody_named_stay_as_they_are(shop: Path) -> None:
    (shop / "compose.yaml").write_text(PROFILES)
    reader = Reader(profiles=("dev", "prod"))
    variable = load(shop, {"COMPOSE_PROFILES": "tools"})
    assert resolve(variable, "dev", reader=reader).profiles == ()
    assert resolve(load(shop, {}), "dev", profiles=["tools"], reader=reader).profiles == ("tools",)
    with pytest.raises(UsageError):
        resolve(load(shop, {}), "prod", profiles=["tools"], reader=reader)


def test_compose_file_goes_before_the_names(shop: Path) -> None:
    touch(shop, "compose.yaml", "compose.dev.yaml", "a.yml", "b/c.yml")
    (shop / ".env").write_text("COMPOSE_FILE=a.yml;b/c.yml # both\nCOMPOSE_PATH_SEPARATOR=';'\n")
    environment = resolve(load(shop, {}), "dev")
    assert environment.files == (shop / "a.yml", shop / "b/c.yml")
    assert environment.picked == "dev: a.yml + b/c.yml, from COMPOSE_FILE"
    exported = load(shop, {"COMPOSE_FILE": f"compose.yaml{os.pathsep}gone.yml"})
    with pytest.raises(UsageError, match=r"^COMPOSE_FILE: no such file"):
        resolve(exported, "dev")
    named = settings_of(shop, '[dev]\nfiles = ["compose.yaml"]\n')
    assert resolve(named, "dev").files == (shop / "compose.yaml",)


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
        siblings={"shop-dev": "dev"},
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


def test_with_settings_and_no_file_at_all_init_is_no_answer(shop: Path) -> None:
    (shop / "dartsctl.toml").write_text("[dev]\nfiles = []\n")
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, {}), "prod")
    assert caught.value.hint == f"name one: files = [...] in [prod] of {shop}/dartsctl.toml"


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


def test_the_files_of_the_other_environments_are_known(shop: Path) -> None:
    touch(shop, "compose.yaml", "compose.dev.yaml")
    assert resolve(load(shop, {}), "prod").files_of_others == (f"{shop}/compose.dev.yaml",)
    settings = settings_of(shop, '[environment.qa]\nfiles = ["compose.yaml", "qa.yaml"]')
    assert resolve(settings, "prod").files_of_others == (
        f"{shop}/compose.dev.yaml",
        f"{shop}/qa.yaml",
    )


def test_a_broken_link_with_productions_name_is_told_as_that(shop: Path) -> None:
    touch(shop, "compose.yaml")
    (shop / "compose.prod.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(UsageError, match=r"broken symbolic link: .*/compose\.prod\.yaml"):
        resolve(load(shop, {}), "prod")


@pytest.mark.parametrize("file", ["-", "oci://example.com/shop:1"])
def test_compose_file_names_files_of_this_machine(shop: Path, file: str) -> None:
    environ = {"COMPOSE_FILE": file, "COMPOSE_PATH_SEPARATOR": ";"}
    with pytest.raises(UsageError) as caught:
        resolve(load(shop, environ), "dev")
    assert caught.value.message == f"COMPOSE_FILE: not a file on this machine: {file}"
