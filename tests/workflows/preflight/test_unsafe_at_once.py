"""What is unsafe about production is said at once, also where two problems look the same."""

from __future__ import annotations

from pathlib import Path

from dartsctl.config import secrets
from dartsctl.records import replace
from dartsctl.workflows.preflight.production_checks import read_env_files, unsafe_error
from fakes.preflights import ENVIRONMENT


def test_an_unreadable_env_file_hides_nothing_that_is_wrong_with_the_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "broken.env").write_text("NOT A STATEMENT\n")
    (tmp_path / "weak.env").write_text("DB_PASSWORD=postgres\nAPI_PASSWORD=postgres\n")
    for name in ("broken.env", "weak.env"):
        (tmp_path / name).chmod(0o600)
    files = read_env_files(
        replace(ENVIRONMENT, env_files=(tmp_path / "broken.env", tmp_path / "weak.env")), {}
    )
    assert [(objection.kind, objection.name) for objection in files.objections] == [
        ("default", "DB_PASSWORD"),
        ("default", "API_PASSWORD"),
        ("unread", str(tmp_path / "broken.env")),
    ]


def test_every_problem_has_its_own_command() -> None:
    objections = (
        *secrets.missing(["DB_PASSWORD"]),
        *secrets.judge_mode("/srv/.env", 0o644),
        *secrets.missing(["SECRET_KEY"]),
    )
    error = unsafe_error(objections)
    assert error.hint == "openssl rand -hex 24"
    assert error.details == (
        "DB_PASSWORD is required, but not set",
        "/srv/.env is accessible to all users (mode 0644): `chmod 600 /srv/.env`",
        "SECRET_KEY is required, but not set",
    )
