"""Environments: which files and names Compose gets, and the errors where they are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.environment import Environment, adhoc, resolve, resolve_running
from dartsctl.config.load_settings import load
from dartsctl.errors import ExitCode, Refused, UsageError
from dartsctl.records import replace
from fakes.settings_files import settings_of, touch

# --- Compose files -----------------------------------------------------------------------------


def test_configured_files_keep_their_order_and_win_over_conventional_ones(shop: Path) -> None:
    touch(shop, "compose.dev.yml", "b.yml", "sub/a.yml")
    environment = resolve(
        settings_of(shop, '[dev]\nfiles = ["b.yml", "sub/a.yml"]\nprofiles = ["x"]\nproject = "p"'),
        "dev",
    )
    assert environment.files == (shop / "b.yml", shop / "sub/a.yml")
    assert (environment.profiles, environment.project) == (("x",), "p")


def test_a_configured_file_that_is_missing_is_named_with_its_key(shop: Path) -> None:
    settings = settings_of(shop, '[dev]\nproject = "p"\nfiles = ["gone.yml"]')
    with pytest.raises(
        UsageError, match=rf"^dartsctl.toml:3: dev.files: no such file: {shop}/gone.yml$"
    ):
        resolve(settings, "dev")
    from_variable = settings_of(shop, "", {"DARTSCTL_DEV_FILES": "gone.yml"})
    with pytest.raises(UsageError, match=rf"^DARTSCTL_DEV_FILES: no such file: {shop}/gone.yml$"):
        resolve(from_variable, "dev")


def test_a_configured_file_that_is_a_folder_is_named_with_its_key(shop: Path) -> None:
    (shop / "compose").mkdir()
    with pytest.raises(
        UsageError, match=rf"^dartsctl.toml:2: environment.qa.files: {shop}/compose is a folder$"
    ):
        resolve(settings_of(shop, '[environment.qa]\nfiles = ["compose"]'), "qa")


def test_flags_win_over_the_settings_and_are_relative_to_the_working_folder(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(shop, "compose.prod.yml", ".env.production", "work/x.yml", "work/x.env")
    monkeypatch.chdir(shop / "work")
    settings = settings_of(shop, '[prod]\nprofiles = ["a"]')
    environment = resolve(settings, "prod", project="mine", profiles=["b"])
    assert (environment.project, environment.profiles) == ("mine", ("b",))
    any_files = adhoc(
        files=[Path("x.yml")], env_files=[Path("../work/x.env")], directory=Path("..")
    )
    assert (any_files.files, any_files.env_files) == (
        (shop / "work/x.yml",),
        (shop / "work/x.env",),
    )


def test_a_command_names_the_environment_and_a_project_that_was_named(shop: Path) -> None:
    touch(shop, "compose/staging.yml")
    settings = settings_of(shop, "[environment.staging]")
    environment = resolve(settings, "staging")
    assert environment.command("up", "my web") == "dartsctl staging up 'my web'"
    named = resolve(settings, "staging", project="other")
    assert named.command("down", "--yes") == "dartsctl staging down --yes --project other"


def test_errors_in_flags_name_the_flag(shop: Path) -> None:
    touch(shop, "compose.dev.yml")
    settings = load(shop, {})
    with pytest.raises(UsageError, match=rf"^--file: no such file: {shop}/gone.yml$"):
        adhoc(files=[shop / "gone.yml"], directory=shop)
    with pytest.raises(UsageError, match=rf"^--env-file: {shop} is a folder$"):
        adhoc(files=[shop / "compose.dev.yml"], env_files=[shop], directory=shop)
    with pytest.raises(UsageError, match=r"^--project: 'Shop' is not a project name"):
        resolve(settings, "dev", project="Shop")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("stagin", "did you mean staging?"),
        ("Prod", "did you mean prod?"),
        ("qqq", "to add it, write [environment.qqq] in "),
    ],
)
def test_an_unknown_environment_names_the_nearest_known_one(
    shop: Path, name: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=rf"^unknown environment: '{name}'$") as caught:
        resolve(settings_of(shop, "[environment.staging]"), name)
    assert caught.value.hint.startswith(hint)
    assert caught.value.details == ("known: dev, prod, staging",)


# --- env files ---------------------------------------------------------------------------------


def test_the_default_env_file_of_development_may_be_missing(shop: Path) -> None:
    touch(shop, "compose.dev.yml")
    assert resolve(load(shop, {}), "dev").env_files == ()
    touch(shop, ".env")
    assert resolve(load(shop, {}), "dev").env_files == (shop / ".env",)


def test_a_configured_env_file_must_exist(shop: Path) -> None:
    touch(shop, "compose.dev.yml")
    settings = settings_of(shop, '[dev]\nenv_files = [".env"]')
    with pytest.raises(
        UsageError, match=rf"^dartsctl.toml:2: dev.env_files: no such file: {shop}/.env$"
    ):
        resolve(settings, "dev")


def test_production_is_refused_without_the_env_file_of_its_settings(shop: Path) -> None:
    touch(shop, "compose.prod.yml")
    settings = settings_of(shop, '[prod]\nenv_files = [".env.production"]')
    with pytest.raises(Refused) as caught:
        resolve(settings, "prod")
    assert caught.value.code is ExitCode.REFUSED
    assert caught.value.message == f"production's env file is missing: {shop}/.env.production"
    assert caught.value.hint == "dartsctl init"
    touch(shop, ".env.production.example")
    with pytest.raises(Refused) as caught:
        resolve(settings, "prod")
    assert caught.value.details == (
        "`dartsctl init` creates it from .env.production.example, with new secrets",
        f"by hand: cp {shop}/.env.production.example {shop}/.env.production",
    )


@pytest.mark.parametrize(
    ("there", "used", "shown"),
    [
        ((".env.production", ".env.prod", ".env"), (".env.production",), ""),
        ((".env.prod", ".env"), (".env.prod",), ", env file .env.prod"),
        ((".env",), (".env",), ", env file .env"),
        (
            ("deploy/.env.production", ".env"),
            ("deploy/.env.production",),
            ", env file deploy/.env.production",
        ),
        (("deploy/.env", ".env"), (".env", "deploy/.env"), ", env file .env, deploy/.env"),
        ((".env.local", ".env.production.example"), (), ""),
    ],
)
def test_production_has_its_own_env_file_else_the_one_that_compose_reads(
    shop: Path, there: tuple[str, ...], used: tuple[str, ...], shown: str
) -> None:
    touch(shop, "deploy/compose.prod.yml", *there)
    environment = resolve(load(shop, {}), "prod")
    assert environment.env_files == tuple(shop / file for file in used)
    assert environment.picked == f"prod: deploy/compose.prod.yml{shown}"
    missing = environment.missing_env_file
    assert missing == (None if used else shop / ".env.production")


def test_the_env_file_of_production_is_told_where_only_the_compose_file_is_configured(
    shop: Path,
) -> None:
    touch(shop, "mine.yml", ".env")
    environment = resolve(settings_of(shop, '[prod]\nfiles = ["mine.yml"]'), "prod")
    assert environment.picked == "prod: mine.yml, env file .env"


def test_a_virtual_environment_named_env_is_no_env_file(shop: Path) -> None:
    touch(shop, "compose.yaml", "compose.prod.yaml", ".env/bin/python")
    for name in ("dev", "prod"):
        assert resolve(load(shop, {}), name).env_files == ()


def test_a_broken_link_of_production_is_not_passed_over(shop: Path) -> None:
    touch(shop, "compose.prod.yml", ".env")
    (shop / ".env.production").symlink_to("gone")
    with pytest.raises(Refused, match="is a broken symbolic link"):
        resolve(load(shop, {}), "prod")


def test_a_verb_that_looks_at_what_runs_gets_the_files_that_are_named_and_what_is_missing(
    shop: Path,
) -> None:
    touch(shop, "compose.prod.yml")
    configured = settings_of(shop, '[prod]\nenv_files = [".env.production"]')
    running = resolve_running(configured, "prod")
    assert running.files == (shop / "compose.prod.yml",)
    assert isinstance(running.files_error, Refused)
    assert "env file is missing" in running.files_error.message
    named = settings_of(shop, '[prod]\nfiles = ["gone.yml"]\nproject = "shop-prod"')
    running = resolve_running(named, "prod")
    assert (running.project, running.files) == ("shop-prod", (shop / "gone.yml",))
    assert isinstance(running.files_error, UsageError)
    assert "no such file" in running.files_error.message
    assert resolve_running(settings_of(shop), "prod").files_error is None


def test_production_is_refused_when_unsafe_unless_the_settings_say_warn(shop: Path) -> None:
    touch(shop, "compose.prod.yml", ".env.production")
    assert resolve(settings_of(shop, ""), "prod").refuses_unsafe
    assert not resolve(settings_of(shop, '[prod]\nunsafe = "warn"'), "prod").refuses_unsafe


def test_production_may_be_configured_without_an_env_file(shop: Path) -> None:
    touch(shop, "compose.prod.yml")
    assert resolve(settings_of(shop, "[prod]\nenv_files = []"), "prod").env_files == ()


def test_an_env_file_need_not_be_a_regular_file(shop: Path) -> None:
    touch(shop, "compose.prod.yml")
    settings = settings_of(shop, '[prod]\nenv_files = ["/dev/null"]')
    assert resolve(settings, "prod").env_files == (Path("/dev/null"),)
    null = [Path("/dev/null")]
    assert adhoc(env_files=null, directory=Path()).env_files == (Path("/dev/null"),)


# --- without settings --------------------------------------------------------------------------


def test_any_files_make_an_environment(shop: Path) -> None:
    touch(shop, "a.yml", "x.env")
    environment = adhoc(
        files=[shop / "a.yml"], env_files=[shop / "x.env"], profiles=["p"], directory=shop
    )
    assert environment == Environment(
        "adhoc", (shop / "a.yml",), (shop / "x.env",), None, ("p",), shop
    )
    assert adhoc(files=[shop / "a.yml"], project="mine", directory=shop).project == "mine"


def test_a_missing_file_is_named_by_its_flag(shop: Path) -> None:
    with pytest.raises(UsageError, match=rf"^--file: no such file: {shop}/a.yml$"):
        adhoc(files=[shop / "a.yml"], directory=shop)
    with pytest.raises(UsageError, match=r"^--project: 'A' is not a project name"):
        adhoc(project="A", directory=Path())


def test_in_the_working_folder_compose_picks_its_own_files(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(shop, "compose.yml")
    monkeypatch.chdir(shop)
    assert adhoc(directory=Path()).files == ()


def test_in_another_folder_the_files_that_compose_would_pick_are_named(shop: Path) -> None:
    with pytest.raises(UsageError, match=rf"^no Compose file in {shop}$"):
        adhoc(directory=shop)
    touch(shop, "docker-compose.yml", "docker-compose.override.yaml")
    assert adhoc(directory=shop).files == (
        shop / "docker-compose.yml",
        shop / "docker-compose.override.yaml",
    )
    touch(shop, "compose.yaml", "compose.override.yml")
    assert adhoc(directory=shop).files == (shop / "compose.yaml", shop / "compose.override.yml")


# --- the host server ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "shown"),
    [
        ("up", "--project shop-2 --profile debug --profile 'my tools' --project-dir ."),
        ("check", "--project shop-2 --profile debug --profile 'my tools' --project-dir ."),
        ("down", "--project shop-2 --project-dir ."),
        ("ps", "--project shop-2 --project-dir ."),
    ],
)
def test_the_next_command_keeps_what_was_typed(tmp_path: Path, verb: str, shown: str) -> None:
    (tmp_path / "dev.yml").write_text("")
    (tmp_path / "dartsctl.toml").write_text('[dev]\nfiles = ["dev.yml"]\nprofiles = ["own"]\n')
    settings = replace(load(tmp_path, {}), project_dir=Path())
    profiles = ("debug", "my tools")
    environment = resolve(settings, "dev", project="shop-2", profiles=profiles)
    assert environment.command(verb, "web") == f"dartsctl dev {verb} web {shown}"


def test_profiles_of_the_settings_are_not_repeated_in_the_next_command(tmp_path: Path) -> None:
    (tmp_path / "dev.yml").write_text("")
    (tmp_path / "dartsctl.toml").write_text('[dev]\nfiles = ["dev.yml"]\nprofiles = ["own"]\n')
    assert resolve(load(tmp_path, {}), "dev").command("up") == "dartsctl dev up"
