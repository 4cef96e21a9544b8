"""Which names belong to an environment, and which files are picked among them."""

from __future__ import annotations

import pytest

from dartsctl.config.conventional_names import Pick, may_be_meant, pick, plain_files, word_of


def picked(name: str, names: str, alone: str = "") -> str:
    """Return the files picked among `names`; those in `alone` are complete, others need one."""

    def is_complete(files: tuple[str, ...]) -> bool:
        return any(file in alone.split() for file in files)

    return " ".join(pick(name, names.split(), is_complete).files)


@pytest.mark.parametrize(
    ("file", "word"),
    [
        ("compose.yaml", ""),
        ("docker-compose.yml", ""),
        ("docker-compose.prod.yml", "prod"),
        ("docker-compose-Prod.YAML", "prod"),
        ("docker_compose_dev.yml", "dev"),
        ("prod.docker-compose.yml", "prod"),
        ("dev-compose.yml", "dev"),
        ("compose/prod.yml", "prod"),
        ("docker-compose.prod.traefik.yml", "prod.traefik"),
        ("dev.docker-compose.gpu.yml", "dev.gpu"),
        ("composer.prod.yml", ""),
        ("docker/prod/compose.yaml", "prod"),
        ("prod/docker-compose.gpu.yml", "gpu"),
        ("prod/values.yaml", "values"),
        ("deploy/compose.yaml", ""),
    ],
)
def test_the_word_of_a_name(file: str, word: str) -> None:
    assert word_of(file) == word


@pytest.mark.parametrize(
    ("names", "alone", "dev"),
    [
        ("compose.yaml", "compose.yaml", "compose.yaml"),
        ("compose.yaml compose.prod.yaml", "compose.yaml", "compose.yaml"),
        (
            "docker-compose.yml docker-compose.override.yml",
            "docker-compose.yml",
            "docker-compose.yml docker-compose.override.yml",
        ),
        # Compose's own order, and its own mixture of names
        (
            "compose.yaml docker-compose.yml docker-compose.override.yml",
            "compose.yaml",
            "compose.yaml docker-compose.override.yml",
        ),
        (
            "compose.yaml compose.dev.yaml compose.override.yaml compose.prod.yaml",
            "compose.yaml",
            "compose.yaml compose.dev.yaml",
        ),
        ("compose.yaml compose.dev.yaml", "compose.yaml compose.dev.yaml", "compose.dev.yaml"),
        (
            "docker-compose.yml docker-compose-localhost.yml",
            "docker-compose.yml docker-compose-localhost.yml",
            "docker-compose-localhost.yml",
        ),
        (
            "docker-compose.local.yml docker-compose.dev.yml",
            "docker-compose.local.yml docker-compose.dev.yml",
            "docker-compose.dev.yml",
        ),
        (
            "docker-compose.base.yml docker-compose.yml docker-compose.dev.yml",
            "docker-compose.base.yml docker-compose.yml",
            "docker-compose.base.yml docker-compose.dev.yml",
        ),
        ("compose.yml compose/dev.yml", "compose.yml", "compose.yml compose/dev.yml"),
        (
            "docker-compose.yml docker/docker-compose.dev.yml",
            "docker-compose.yml docker/docker-compose.dev.yml",
            "docker/docker-compose.dev.yml",
        ),
        # a folder named after the environment, with the override that Compose takes there
        (
            "docker-compose.yml dev/docker-compose.yml dev/docker-compose.override.yml",
            "docker-compose.yml dev/docker-compose.yml",
            "dev/docker-compose.yml dev/docker-compose.override.yml",
        ),
        ("docker/development/compose.yml", "", "docker/development/compose.yml"),
        (
            "docker/compose.yml docker/local/compose.yml",
            "docker/compose.yml",
            "docker/compose.yml docker/local/compose.yml",
        ),
        ("prod/compose.yaml", "prod/compose.yaml", ""),
        # a base that is none of its own: the file over it has an image, and only a part of the rest
        ("compose.yaml compose.dev.yaml", "compose.dev.yaml", "compose.yaml compose.dev.yaml"),
        ("infrastructure/compose.local.yaml", "", "infrastructure/compose.local.yaml"),
        (
            "docker/docker-compose.yml docker/docker-compose.override.yml",
            "",
            "docker/docker-compose.yml docker/docker-compose.override.yml",
        ),
        (
            ".docker/compose.local.yml .docker/compose.yml",
            ".docker/compose.yml",
            ".docker/compose.yml .docker/compose.local.yml",
        ),
        ("docker-compose.ci.yml docker-compose.test.yml", "docker-compose.ci.yml", ""),
        ("", "", ""),
    ],
)
def test_dev_is_what_is_named_after_it_else_what_compose_takes(
    names: str, alone: str, dev: str
) -> None:
    assert picked("dev", names, alone) == dev


@pytest.mark.parametrize(
    ("names", "alone", "prod"),
    [
        ("compose.yaml compose.override.yaml", "compose.yaml", ""),
        (
            "compose.yaml compose.prod.yaml compose.override.yaml",
            "compose.yaml",
            "compose.yaml compose.prod.yaml",
        ),
        (
            "docker-compose.yml docker-compose.prod.yml",
            "docker-compose.yml docker-compose.prod.yml",
            "docker-compose.prod.yml",
        ),
        (
            "docker-compose.common.yml docker-compose.production.yml",
            "docker-compose.common.yml",
            "docker-compose.common.yml docker-compose.production.yml",
        ),
        (
            "deploy/compose.prod.yml compose.yaml",
            "compose.yaml",
            "compose.yaml deploy/compose.prod.yml",
        ),
        # a base without an image of its own
        ("compose.yaml compose.prod.yaml", "compose.prod.yaml", "compose.yaml compose.prod.yaml"),
        ("deploy/docker-compose.yml", "deploy/docker-compose.yml", ""),
        ("compose.yml compose.deploy.yml", "compose.yml", "compose.yml compose.deploy.yml"),
        ("compose.prod.yml compose.deploy.yml", "compose.prod.yml", "compose.prod.yml"),
        ("deploy/production/docker-compose.yml", "", "deploy/production/docker-compose.yml"),
        # the later versions of the darts server
        (
            "docker-compose.yml docker-compose-production.yml docker-compose-wso2.yml",
            "docker-compose.yml docker-compose-wso2.yml",
            "docker-compose-wso2.yml docker-compose-production.yml",
        ),
        # dev has a file of its own, so the plain one is for production
        (
            "compose.yaml compose.override.yaml compose.dev.yaml",
            "compose.yaml compose.dev.yaml",
            "compose.yaml",
        ),
        ("docker-compose-local.yml docker-compose.yml", "docker-compose.yml", "docker-compose.yml"),
        ("compose.dev.yml docker/compose.yml", "docker/compose.yml", "docker/compose.yml"),
        ("compose.yaml compose.dev.yaml", "compose.dev.yaml", ""),
        # nothing makes it complete: Compose says what is wrong with it
        ("compose.yaml compose.prod.yaml", "", "compose.prod.yaml"),
    ],
)
def test_production_is_what_is_named_after_it_else_a_plain_file_that_is_not_devs(
    names: str, alone: str, prod: str
) -> None:
    assert picked("prod", names, alone) == prod


@pytest.mark.parametrize("named", ["compose.yaml", "compose.yaml compose.override.yaml"])
def test_a_plain_file_that_is_named_for_dev_is_not_productions(named: str) -> None:
    names = ("compose.dev.yaml", "compose.override.yaml", "compose.yaml")
    assert pick("prod", names, lambda _: True, dev_files=named.split()) == Pick()
    dev_files = ("compose.yaml", "compose.dev.yaml")
    assert pick("prod", names, lambda _: True, dev_files=dev_files).files == ("compose.yaml",)


def test_two_files_of_production_that_stand_alone_are_candidates() -> None:
    names = ("compose.prod.yaml", "compose.production.yaml")
    result = pick("prod", names, lambda _: True)
    assert result == Pick(candidates=(("compose.prod.yaml",), ("compose.production.yaml",)))


def test_without_a_file_for_production_a_plain_one_is_offered_first_and_no_other_stacks() -> None:
    names = (
        "docker-compose.dev.yml",
        "docker-compose.gpu.yml",
        "docker-compose.override.yml",
        "docker-compose.yml",
    )
    assert may_be_meant("prod", names) == (("docker-compose.yml",), ("docker-compose.gpu.yml",))
    assert may_be_meant("prod", ("compose.dev.yaml",)) == ()


def test_plain_files_that_compose_does_not_take_by_itself_are_offered_too() -> None:
    assert may_be_meant("dev", ("Compose.yaml",)) == (("Compose.yaml",),)
    names = ("compose.yaml", "deploy/compose.yaml")
    assert may_be_meant("prod", names) == (("compose.yaml",), ("deploy/compose.yaml",))


def test_nothing_is_asked_where_there_is_nothing_to_choose() -> None:
    def is_complete(files: tuple[str, ...]) -> bool:
        raise AssertionError(files)

    assert pick("dev", ("compose.yaml", "compose.prod.yaml"), is_complete).is_plain
    assert pick("prod", ("docker/prod.yml",), is_complete).files == ("docker/prod.yml",)


def test_compose_is_asked_once_about_each_file() -> None:
    asked: list[tuple[str, ...]] = []

    def is_complete(files: tuple[str, ...]) -> bool:
        asked.append(files)
        return False

    pick("prod", ("compose.yaml", "compose.prod.yaml", "compose.production.yaml"), is_complete)
    assert len(asked) == len(set(asked))


def test_another_environment_has_its_own_name_and_no_plain_file() -> None:
    assert picked("staging", "compose.yaml compose.staging.yaml", "compose.yaml") == (
        "compose.yaml compose.staging.yaml"
    )
    assert picked("staging", "compose.yaml") == ""


def test_plain_files_of_the_nearest_place_count() -> None:
    assert plain_files(("docker/compose.yaml", "deploy/compose.yaml")) == ("docker/compose.yaml",)
