"""Verbs in a repository without settings: which files Compose gets, and what is said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine

OVERLAY = {"environment": {"MODE": "${MODE:?}", "KEY": "${KEY:-}", "LEVEL": "${LEVEL}"}}


def run(live: LiveStack, *words: str, **variables: str) -> Said:
    """Run a verb without settings, in projects of this test."""
    projects = {
        "DARTSCTL_DEV_PROJECT": f"{live.project}-dev",
        "DARTSCTL_PROD_PROJECT": live.project,
    }
    return live.run(*words, env=projects | variables)


def model(live: LiveStack, name: str, **variables: str) -> tuple[Any, str]:
    """Return what `config` resolves, and what it says."""
    result = run(live, name, "config", "--json", **variables)
    assert result.code == 0, result.text
    return result.document["model"], result.err


def test_an_overlay_lies_over_its_base_and_needs_an_env_file_only_for_its_variables(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper()}, file="docker-compose.yml")
    live.compose({"web": OVERLAY}, file="docker-compose.prod.yml")
    missing = f"error: production's env file is missing: {live.folder}/.env.production\n"
    for verb in ("check", "config"):
        result = run(live, "prod", verb)
        assert (result.code, missing + "  nothing sets MODE, LEVEL\n" in result.err) == (4, True), (
            verb,
            result.text,
        )
    shown, said = model(live, "prod", MODE="x", LEVEL="y")
    assert set(shown["services"]["web"]["environment"]) == {"KEY", "LEVEL", "MODE"}
    assert said == "prod: docker-compose.yml + docker-compose.prod.yml\n"
    blank = run(live, "prod", "check", MODE="x")
    assert (blank.code, "nothing sets LEVEL\n" in blank.err) == (4, True), blank.text
    (live.folder / ".env").write_text("MODE=a\nLEVEL=b\n")
    (live.folder / ".env").chmod(0o600)
    checked = run(live, "prod", "check", "--json", "--quiet")
    assert (checked.code, checked.err) == (0, ""), checked.text
    assert [file.rpartition("/")[2] for file in checked.document["files"]] == [
        "docker-compose.yml",
        "docker-compose.prod.yml",
    ]
    assert "prod: docker-compose.yml + docker-compose.prod.yml, env file .env\n" in (
        run(live, "prod", "up", "--dry-run").err
    )


def test_a_plain_file_with_profiles_is_two_stacks(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose(
        {
            "web": sleeper(),
            "debugger": sleeper(profiles=["dev"]),
            "proxy": sleeper(profiles=["prod"]),
        },
        file="compose.yaml",
    )
    shown, said = model(live, "dev")
    assert (set(shown["services"]), said) == (
        {"web", "debugger"},
        "dev: compose.yaml, profile dev\n",
    )
    shown, said = model(live, "prod")
    assert (set(shown["services"]), said) == (
        {"web", "proxy"},
        "prod: compose.yaml, profile prod\n",
    )


def test_doctor_leads_to_the_dev_stack_where_there_is_no_other(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper()}, file="docker-compose.yml")
    result = run(live, "doctor")
    assert result.code == 2
    assert result.err.endswith("  or diagnose the dev stack:\nnext: dartsctl doctor dev\n")


def test_every_verb_that_cannot_pick_says_so_in_the_same_words(live: LiveStack) -> None:
    from live.stack import sleeper

    for file in ("docker-compose.prod.yml", "docker-compose.production.yml"):
        live.compose({"web": sleeper()}, file=file)
    for words in (("prod", "ps"), ("doctor",)):
        result = run(live, *words)
        assert result.code == 2, (words, result.text)
        assert result.err.startswith(
            f"error: several Compose files for prod in {live.folder}: "
            "docker-compose.prod.yml, docker-compose.production.yml\n"
        ), result.err
        assert '  files = ["docker-compose.prod.yml"]   # or\n' in result.err
        assert "next: dartsctl check -f docker-compose.prod.yml\n" in result.err
    dev = run(live, "dev")
    assert (dev.code, f"no Compose file for dev in {live.folder}" in dev.err) == (2, True), dev.text
    ports = run(live, "ports", "--json").document
    assert any("several Compose files for prod" in note for note in ports["notes"])
