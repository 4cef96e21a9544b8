"""What an env file says about each variable, and how it is written."""

from __future__ import annotations

import io

import pytest
from dotenv import dotenv_values

from dartsctl.discovery.secrets import env_text
from dartsctl.discovery.secrets.env_choices import Choice, Wanted, choices, needed
from dartsctl.discovery.secrets.new_secrets import new_secret
from dartsctl.discovery.secrets.secret_owners import Owner, Place, SecretVariable


def decided(
    wanted: Wanted, secret: SecretVariable | None, *, production: bool = True, data: bool = False
) -> str:
    secrets = {secret.name: secret} if secret else {}
    (choice,) = choices([wanted], secrets, production=production, has_data=lambda _: data)
    return choice.kind


def secret(owner: Owner, *, keeps_data: bool = False, literal: bool = False) -> SecretVariable:
    places = (Place("web", "PW"), Place("db", "PW"))
    literals = (Place("web", "URL"),) if literal else ()
    server = "db" if owner == "stack" else ""
    return SecretVariable("PW", owner, places, server, keeps_data=keeps_data, literals=literals)


@pytest.mark.parametrize(
    "default", ["postgres", "short", "a-strong-one-that-everybody-can-read", ""]
)
@pytest.mark.parametrize("owner", ["stack", "app"])
def test_production_gets_a_new_secret_for_every_public_default(owner: Owner, default: str) -> None:
    assert decided(Wanted("PW", default), secret(owner)) == "new"
    assert decided(Wanted("PW", default), secret(owner), production=False) == "default"
    assert decided(Wanted("PW", "", is_required=True), secret(owner), production=False) == "new"


def test_data_that_exists_keeps_its_password() -> None:
    wanted = Wanted("PW", "postgres")
    assert decided(wanted, secret("stack", keeps_data=True), data=True) == "current"
    assert decided(wanted, secret("stack", keeps_data=True), data=False) == "new"
    assert decided(wanted, secret("stack"), data=True) == "new"  # of a command line


def test_a_fixed_text_that_would_no_longer_fit_forbids_a_new_secret() -> None:
    assert decided(Wanted("PW", "postgres"), secret("stack", literal=True)) == "literal"


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (Wanted("PW", is_required=True), "ask"),
        (Wanted("PW", "admin"), "ask"),  # production refuses it
        (Wanted("PW"), "may-ask"),
        (Wanted("PW", "v3ry-l0ng-and-strong-text"), "default"),
    ],
)
def test_a_persons_secret_is_never_made_up(wanted: Wanted, kind: str) -> None:
    assert decided(wanted, secret("person")) == kind


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (Wanted("SITE", is_required=True), "ask"),
        (Wanted("SITE", "https://<your-domain>/"), "may-ask"),
        (Wanted("SITE", "https://your-domain.com/callback"), "may-ask"),
        (Wanted("WSO2_CLIENT_ID"), "may-ask"),
        (Wanted("LEVEL", "info"), "default"),
        (Wanted("LEVEL"), "default"),
    ],
)
def test_what_is_no_secret_keeps_the_default_of_the_files(wanted: Wanted, kind: str) -> None:
    assert decided(wanted, None) == kind


def test_a_new_file_has_values_then_gaps_then_defaults_and_repeats_no_secret() -> None:
    rows = (
        Choice("USER", "default", "app"),
        Choice("PW", "new", "postgres", secret=secret("stack")),
        Choice("INTROSPECT_PASSWORD", "ask", "admin", secret=secret("person")),
        Choice("SITE", "ask", is_required=True),
        Choice("TOKEN", "default", "strong-but-public", secret=secret("person")),
        Choice("GREETING", "default", "it's # 1"),
        Choice("LINES", "default", "a\rSET=b"),
    )
    text = env_text.new_text(".env.production", rows, {"PW": "new-one"})
    assert text.splitlines()[2:4] == ["PW=new-one", "SITE="]
    assert dotenv_values(stream=io.StringIO(text)) == {"PW": "new-one", "SITE": ""}
    for line in (
        "# USER=app",
        "# INTROSPECT_PASSWORD=",
        "# TOKEN=",
        '# GREETING="it\'s # 1"',
        "# LINES=",
    ):
        assert line in text.splitlines()
    for value in ("admin", "postgres", "strong-but-public"):
        assert value not in text
    minimal = env_text.new_text(".env.production", rows, {"PW": "new-one"}, defaults=False)
    assert "USER" not in minimal
    assert needed(rows)
    assert not needed([Choice("USER", "default", "app")])


@pytest.mark.parametrize(
    "value", ["plain", "a b", "a#b", "it's", 'say "x"', "back\\slash", "a$b", ""]
)
def test_a_line_reads_as_its_value(value: str) -> None:
    line = env_text.env_line("NAME", value)
    assert dotenv_values(stream=io.StringIO(line), interpolate=False) == {"NAME": value}


def test_a_new_secret_has_letters_of_both_kinds_and_digits_and_fits_into_urls() -> None:
    values = {new_secret() for _ in range(50)}
    assert len(values) == 50
    for value in values:
        assert len(value) == 48
        assert value.isascii()
        assert value.isalnum()
        assert value.lower() != value != value.upper()
        assert not value.isalpha()
    assert len(new_secret("SECRET_KEY_BASE")) == 64
