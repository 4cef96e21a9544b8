"""Compose's own variables: what they say, and about which environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dartsctl.config.compose_variables import ComposeVariables, compose_variables
from dartsctl.config.trust import Trust
from dartsctl.edges.project import env_files
from dartsctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("dev", "prod", "staging")
NOTHING = ComposeVariables()


def said(folder: Path, **environ: str) -> dict[str, ComposeVariables]:
    return compose_variables(folder, environ, NAMES, Trust())


@pytest.mark.parametrize(
    ("files", "owner"),
    [
        ("compose.yaml:compose.override.yaml", "dev"),
        ("docker-compose.yml:docker-compose.dev.yml", "dev"),
        ("docker-compose.yml:docker-compose.prod.yml", "prod"),
        ("/srv/compose/production.yml", "prod"),
        ("stack.prod.tls.yml", "prod"),
        ("compose.yaml:deploy/production/compose.yaml", "prod"),
        ("products/compose.yaml", "dev"),
        ("compose.yaml:compose.staging.yaml", "staging"),
    ],
)
def test_compose_file_is_for_the_environment_that_its_files_are_named_after(
    tmp_path: Path, files: str, owner: str
) -> None:
    variables = said(tmp_path, COMPOSE_FILE=files, COMPOSE_PROJECT_NAME="shop1")
    for name in NAMES:
        expected = tuple(files.split(":")) if name == owner else ()
        assert variables[name].files == expected
        assert variables[name].project == ("shop1" if name == owner else "")


def test_profiles_of_production_say_whose_the_variables_are_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COMPOSE_PROFILES=prod, metrics\nCOMPOSE_PROJECT_NAME=live\n")
    variables = said(tmp_path)
    assert (variables["prod"].profiles, variables["prod"].project) == (("prod", "metrics"), "live")
    assert variables["dev"] == NOTHING


def test_what_is_exported_goes_before_env_and_an_own_env_file_is_for_its_environment(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text("COMPOSE_FILE=a.yml\nCOMPOSE_PROJECT_NAME=one\n")
    (tmp_path / ".env.production").write_text("export COMPOSE_FILE='p.yml'\n")
    (tmp_path / ".env.staging").write_text("COMPOSE_PROJECT_NAME=three\n")
    variables = said(tmp_path, COMPOSE_FILE="b.yml")
    assert (variables["dev"].files, variables["dev"].project) == (("b.yml",), "one")
    assert (variables["prod"].files, variables["prod"].project) == (("p.yml",), "")
    assert variables["staging"].project == "three"


def test_lines_are_read_as_in_an_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# COMPOSE_FILE=no.yml\nSTAGE=dev\r\nNOT A LINE\n"
        'COMPOSE_FILE="compose.yml:compose.${STAGE:-x}.yml" # both\n'
        "COMPOSE_PROFILES='a,$b'\n"
    )
    dev = said(tmp_path)["dev"]
    assert (dev.files, dev.profiles) == (("compose.yml", "compose.dev.yml"), ("a", "$b"))


@pytest.mark.parametrize(
    "line",
    [
        "COMPOSE_FILE=a.yml",
        "COMPOSE_FILE = a.yml",
        "COMPOSE_FILE='a b.yml'",
        'COMPOSE_FILE="a # b.yml"',
        "  export COMPOSE_FILE=a.yml",
        "COMPOSE_FILE=a.yml # the only one",
        "COMPOSE_FILE=a#b.yml",
        "COMPOSE_FILE='a.yml' # the only one",
        "#COMPOSE_FILE=a.yml",
        "COMPOSE_FILE=a.yml\nCOMPOSE_FILE=b.yml",
        "STAGE=x\nCOMPOSE_FILE=${STAGE}.yml",
        'COMPOSE_FILE="${STAGE:-dev}.yml"',
        "COMPOSE_FILE=''",
        "COMPOSE_FILE",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize("start", ["", "\ufeff", "A=1\n"])
def test_a_line_says_what_it_says_to_the_reader_of_all_env_files(
    tmp_path: Path, line: str, end: str, start: str
) -> None:
    file = tmp_path / ".env"
    file.write_bytes(f"{start}{line}{end}".encode())
    values = env_files.read((file,), {})
    expected = values["COMPOSE_FILE"].value if "COMPOSE_FILE" in values else ""
    assert said(tmp_path)["dev"].files == tuple(filter(None, [expected]))


def test_files_that_cannot_be_read_say_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    (tmp_path / ".env.production").write_text("COMPOSE_FILE=p.yml\n")
    (tmp_path / ".env.production").chmod(0o666)  # everybody may change what is run
    assert said(tmp_path) == dict.fromkeys(NAMES, NOTHING)


def test_a_project_name_that_compose_refuses_is_named_with_its_variable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^COMPOSE_PROJECT_NAME: 'My Shop' is not a project name"):
        said(tmp_path, COMPOSE_PROJECT_NAME="My Shop")
