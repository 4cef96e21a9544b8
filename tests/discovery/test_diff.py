"""The diff of a planned file: every line that is written, and no value of a secret."""

from __future__ import annotations

from pathlib import Path

from dartsctl.discovery.changes import Change
from dartsctl.discovery.diff import diff_lines


def created(name: str, text: str, *generated: str, is_env_file: bool = False) -> tuple[str, ...]:
    change = Change("create", Path(name), "", text, is_env_file=is_env_file, generated=generated)
    return diff_lines(change)


def test_a_new_file_is_shown_line_by_line() -> None:
    lines = created("dartsctl.toml", '[dev]\n\nfiles = ["a"]\n')
    assert lines == ("+ [dev]", "+", '+ files = ["a"]')


def test_appended_lines_are_shown_and_a_kept_file_has_no_diff() -> None:
    assert diff_lines(Change("append", Path(".gitignore"), "", "/.env\n")) == ("+ /.env",)
    assert diff_lines(Change("keep", Path(".gitignore"), "", "/.env\n")) == ()


def test_an_edit_is_shown_with_its_neighbouring_lines() -> None:
    change = Change("edit", Path("a.toml"), "", text="1\n2\n3\n4\nnew\n", old=b"1\n2\n3\n4\nold\n")
    assert diff_lines(change) == ("  4", "- old", "+ new")


def test_values_of_secrets_are_never_shown() -> None:
    text = (
        "# our site\n"
        "TZ=Europe/Berlin\n"
        "POSTGRES_PASSWORD=0123456789abcdef\n"
        "export API_TOKEN='canary-1'\n"
        "#OLD_PASSWORD=canary-2\n"
        'URL="amqp://guest:canary-3@rabbitmq/"\n'
        "DATABASE_URL=postgres://app:0123456789abcdef@db/app\n"
        "OTHER_URL=postgresql://postgres:postgres@db/postgres\n"
        'PRIVATE_KEY="-----BEGIN\ncanary-4\n-----END"\n'
    )
    assert created("deploy/prod.settings", text, "POSTGRES_PASSWORD", is_env_file=True) == (
        "+ # our site",
        "+ TZ=Europe/Berlin",
        "+ POSTGRES_PASSWORD=***  (new secret)",
        "+ export API_TOKEN='***'",
        "+ #OLD_PASSWORD=***",
        '+ URL="amqp://guest:***@rabbitmq/"',
        "+ DATABASE_URL=postgres://app:***@db/app  (new secret)",
        "+ OTHER_URL=postgresql://postgres:***@db/postgres",
        '+ PRIVATE_KEY="***',
        "+ ...",
        "+ ...",
    )


def test_an_edited_env_file_hides_the_old_values_too() -> None:
    change = Change(
        "edit",
        Path("config/db.env"),
        "",
        text="DB_PASSWORD=canary-old\nNEW_KEY=canary-new\n",
        old=b"DB_PASSWORD=canary-old\n",
        is_env_file=True,
        generated=("NEW_KEY",),
    )
    assert diff_lines(change) == ("  DB_PASSWORD=***", "+ NEW_KEY=***  (new secret)")
