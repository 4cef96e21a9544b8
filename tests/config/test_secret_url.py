from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.secret_url import resolve, secret_parts
from dartsctl.errors import UsageError

VARIABLES = {"URL": "json://u:p@host/x", "PASSWORD": "s3cret", "EMPTY": "", "FOLDER": "/run/x"}
FILES = {"/settings/secret": "json://host/file\nmore\n", "/run/x/empty": " \n"}


def resolved(written: str) -> str:
    url = resolve(
        written,
        "[watch] notify: URL 1",
        variable=VARIABLES.get,
        read=lambda path: FILES[str(path)],
        directory=Path("/settings"),
    )
    assert "s3cret" not in repr(url)
    return url.text


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("json://host/x", "json://host/x"),
        ("${URL}", "json://u:p@host/x"),
        ("mailto://ops:${PASSWORD}@host", "mailto://ops:s3cret@host"),
        ("json://host/$$x${PASSWORD}$$", "json://host/$xs3cret$"),
        ("json://host/a$b", "json://host/a$b"),
        ("file:secret", "json://host/file"),
        ("file:/settings/secret", "json://host/file"),
        ("file://host/x", "file://host/x"),
    ],
)
def test_a_url_may_be_in_a_variable_or_a_file(written: str, url: str) -> None:
    assert resolved(written) == url


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("${NONE}", "the variable NONE is not set"),
        ("${EMPTY}", "the variable EMPTY is not set"),
        ("file:${FOLDER}/empty", "the file /run/x/empty is empty"),
        (" ", "the URL is empty"),
        ("json://s3cret/\n", "the URL contains a control character"),
        ("json://s3cret/\x1b[0m", "the URL contains a control character"),
        ("json://" + "s3cret" * 1000, "the URL has more than 4096 characters"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(written: str, problem: str) -> None:
    with pytest.raises(UsageError) as refusal:
        resolved(written)
    assert refusal.value.message == f"[watch] notify: URL 1: {problem}"
    assert "s3cret" not in refusal.value.hint


def test_the_tokens_of_a_url_are_masked_and_its_host_is_not() -> None:
    url = "json://user:hunter2@my-alert-server-01:80/api/T0KENT0KENT0KEN?key=abcdef012345678"
    parts = secret_parts(url, shown="json://my-alert-server-01:80")
    assert set(parts) == {url, "hunter2", "T0KENT0KENT0KEN", "abcdef012345678"}


def test_a_url_without_secrets_masks_nothing() -> None:
    assert secret_parts("json://localhost:8080", shown="json://localhost:8080") == ()
