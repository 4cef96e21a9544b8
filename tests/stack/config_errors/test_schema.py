"""What a line of Compose's validator says, in the words of both of its generations."""

from __future__ import annotations

import pytest

from dartsctl.stack.config_errors.schema import SchemaProblem, schema_problem


def problem(path: str, text: str) -> SchemaProblem:
    read = schema_problem(path, text)
    assert read is not None
    return read


@pytest.mark.parametrize(
    "text",
    ["additional properties 'prots' not allowed", "Additional property prots is not allowed"],
)
def test_an_unknown_key_gets_the_nearest_known_one(text: str) -> None:
    read = problem("services.web", text)
    assert (read.text, read.unknown_key) == ("unknown key: prots", "prots")
    assert "ports" in read.advice


@pytest.mark.parametrize(
    ("path", "key", "near"),
    [
        ("", "servics", "services"),
        ("(root)", "volums", "volumes"),
        ("services.web.healthcheck", "intervall", "interval"),
        ("services.web.build", "contxt", "context"),
        ("volumes.data", "externl", "external"),
        ("networks.inner", "internl", "internal"),
    ],
)
def test_the_known_keys_are_those_of_the_place(path: str, key: str, near: str) -> None:
    assert near in problem(path, f"additional properties '{key}' not allowed").advice


def test_several_unknown_keys_are_all_named() -> None:
    read = problem("services.web", "additional properties 'prots', 'imgae' not allowed")
    assert (read.text, read.unknown_key) == ("unknown keys: prots, imgae", "prots")


def test_a_service_at_the_top_is_to_be_put_under_services() -> None:
    read = problem("(root)", "additional properties 'postgres15' not allowed")
    assert read.advice == "put services under `services:`"


def test_a_known_key_that_is_refused_needs_a_newer_compose() -> None:
    read = problem("services.web", "additional properties 'gpus' not allowed")
    assert read.text == "this version of Compose does not know the key gpus"
    assert read.advice == "remove it, or use a newer Compose"


def test_an_unknown_key_of_services_is_a_wrong_name() -> None:
    read = problem("services", "additional properties 'my app' not allowed")
    assert read.text == "invalid name of a service: my app"


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("services.web.image", "string", "a text (in quotes, if it looks like a number)"),
        ("services.web.restart", "boolean", "true or false"),
        ("services.web.environment", "object", "a list or a mapping"),
        ("services.web.ports.0", "number", "a text or a mapping"),
        ("services.web.deploy.labels", "object", "a mapping (`key: value`)"),
        ("services.web.cpus", "matrix", "a matrix"),
    ],
)
def test_a_wrong_type_names_every_type_that_is_allowed(path: str, name: str, expected: str) -> None:
    read = problem(path, f"must be a {name}")
    assert (read.text, read.advice) == (f"the value must be {expected}", f"write {expected}")


def test_the_first_of_several_unknown_types_is_not_named() -> None:
    assert problem("services.web.x", "must be a null").text == "the value has the wrong type"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("value must be one of 'tcp', 'udp'", "the value must be one of tcp, udp"),
        ('must be one of "a", "b"', "the value must be one of a, b"),
        ("must be greater than or equal to 0", "the value must be greater than or equal to 0"),
        ("Does not match format 'duration'", "the value is not a duration such as 30s or 1m30s"),
        ("'x y' does not match pattern '^[a-z]+$'", "the value is not of the form ^[a-z]+$"),
        ("unexpected type map[string]interface {}", "an entry has the wrong type"),
    ],
)
def test_each_sentence_of_the_validator_is_read(text: str, said: str) -> None:
    assert problem("services.web.key", text).text == said


def test_the_path_that_an_older_compose_repeats_is_left_out() -> None:
    path = "services.web.image"
    assert problem(path, f"{path} must be a string") == problem(path, "must be a string")


def test_words_that_are_not_known_are_no_problem_of_the_schema() -> None:
    assert schema_problem("services.web", "is odd") is None
