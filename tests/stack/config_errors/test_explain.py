"""What each of Compose's recorded errors means, in one sentence with place and next step.

The rows and texts: tests/data/record_compose_errors.py (edge-cases.md#57). The sentences stand in
tests/data/compose/error_sentences.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dartsctl.edges.project.env_files import values_in
from dartsctl.errors import Advice
from dartsctl.records import replace
from dartsctl.stack.config_errors.explain import ConfigError, explain, explain_port
from dartsctl.stack.config_errors.place import Setting, Sources
from dartsctl.stack.long_ports import wrong_port

DATA = Path(__file__).parents[2] / "data" / "compose"
TABLE = json.loads((DATA / "errors.json").read_text())
SENTENCES = json.loads((DATA / "error_sentences.json").read_text())
ROWS = [(row, version) for row, recorded in TABLE.items() for version in recorded["answers"]]
HALF_SENTENCES = ("validating ", "decoding failed", "error while interpolating", "strconv")
CANARIES = ("canary", "hunter2")


def error_of(row: str, version: str) -> ConfigError:
    """Return what is said about a row of the table."""
    files, answer = TABLE[row]["files"], TABLE[row]["answers"][version]
    return explain(answer["stderr"], sources(files, answer.get("model", {})))


def sources(files: dict[str, str | None], model: dict[str, Any]) -> Sources:
    texts = {"/srv/demo/compose.yml": files.get("compose.yml") or ""}
    settings = values_in(files.get(".env") or "")
    return Sources(
        files=tuple(texts),
        texts=texts,
        model=model,
        variables={name: Setting(value, ".env:1") for name, value in settings.items()},
        env_files=("/srv/demo/.env",) if ".env" in files else (),
    )


@pytest.mark.parametrize(("row", "version"), ROWS)
def test_each_recorded_error_has_its_sentence_and_advice(row: str, version: str) -> None:
    error = error_of(row, version)
    expected = SENTENCES[row].get(version) or SENTENCES[row]["all"]
    assert [error.sentence, error.hint] == expected


@pytest.mark.parametrize(("row", "version"), ROWS)
def test_no_error_is_half_a_sentence_or_shows_a_secret(row: str, version: str) -> None:
    error = error_of(row, version)
    said = f"{error.sentence} {error.hint}"
    assert error.sentence.startswith("/srv/demo/")
    assert error.sentence.isprintable()
    assert isinstance(error.hint, Advice)
    assert error.hint
    for words in HALF_SENTENCES + CANARIES:
        assert words not in said


def test_the_table_has_what_users_meet_in_two_versions() -> None:
    assert len(TABLE) >= 150
    assert {version for _, version in ROWS} == {"2.24.5", "2.40.3"}


@pytest.mark.parametrize(
    "value", ["23030\u00a0", "23030\u200b", "\t23030", "23030\r", "23030\x1b[0m"]
)
def test_what_cannot_be_seen_in_a_value_is_written_out(value: str) -> None:
    model = {"services": {"db": {"ports": ["${P}:80"]}}}
    sources = Sources(("/c.yml",), {}, model, {"P": Setting(value, "the environment")})
    error = explain(f"invalid hostPort: {value}\n", sources)
    assert error.sentence.isprintable()
    assert value not in error.sentence
    assert "service db: ports: `${P}:80`: " in error.sentence
    assert "(the environment)" in error.sentence
    assert error.hint == "correct P in the environment"


def test_the_value_of_a_secret_is_told_by_its_length_alone() -> None:
    secret = Setting("hunter2canary", ".env:1")
    for model in ({"services": {"db": {"ports": ["${DB_PASSWORD}:80"]}}}, {}):
        known = Sources(("/c.yml",), {}, model, {"DB_PASSWORD": secret})
        for text in ("invalid hostPort: {}", "something new: {}"):
            error = explain(text.format(secret.value), known)
            assert secret.value not in error.sentence


def test_a_default_that_may_be_a_secret_is_not_shown() -> None:
    model = {"services": {"db": {"ports": ["${DB_PASSWORD:-hunter2}:80"]}}}
    error = explain("invalid hostPort: hunter2", Sources(("/c.yml",), {}, model))
    assert "hunter2" not in error.sentence
    assert "${DB_PASSWORD:-***}" in error.sentence


@pytest.mark.parametrize("template", ["${DB_PASSWORD:-a\nhunter2}", "${DB_PASSWORD:-hunter2}"])
def test_no_line_of_a_refused_template_shows_its_default(template: str) -> None:
    stderr = f"invalid interpolation format for services.db.image.\nYou may ...\n{template}\n"
    error = explain(stderr, Sources(("/c.yml",), {"/c.yml": ""}))
    assert "hunter2" not in error.sentence
    assert error.sentence.startswith("/c.yml: service db: image: ")
    assert error.hint


def test_of_several_files_the_line_that_fits_names_the_file() -> None:
    texts = {"/a.yml": "services:\n  db:\n    image: x\n", "/b.yml": 'ports: ["${P}:80"]\n'}
    model = {"services": {"db": {"ports": ["${P}:80"]}}}
    known = Sources(tuple(texts), texts, model, {"P": Setting("x", ".env:3")})
    assert explain("invalid hostPort: x", known).sentence.startswith("/b.yml:1: service db: ports")


def test_yaml_that_may_be_in_an_included_file_blames_no_line_of_this_one() -> None:
    known = Sources(("/c.yml",), {"/c.yml": "include: [b.yml]\nservices: {}\n"})
    error = explain("yaml: line 2: mapping values are not allowed in this context", known)
    assert error.sentence == (
        "/c.yml: invalid YAML in line 2 of one of the files: "
        "mapping values are not allowed in this context"
    )


@pytest.mark.parametrize("text", ["", "\n", 'level=warning msg="x"'])
def test_silence_is_said(text: str) -> None:
    assert explain(text, Sources(("/c.yml",))).sentence == "/c.yml: Compose ended without a message"


def test_an_unknown_error_keeps_composes_words_and_names_the_unset_variables() -> None:
    warning = 'time="x" level=warning msg="The \\"A\\" variable is not set. Defaulting"\n'
    error = explain(f"{warning}something new\n", Sources(("/c.yml",)))
    assert error == ConfigError("/c.yml: something new; not set: A")


FILE = """\
services:
  web:
    image: x
    ports:
      - {target: 80, published: "8000", host_ip: 127.0.0.1}
  db:
    image: x
    volumes: ["${DATA}:/data"]
    ports:
      - target: 5432
        published: "${DB_PORT}"
        host_ip: ${BIND}
"""


def known(model: dict[str, Any], **values: str) -> Sources:
    variables = {name: Setting(value, ".env:1") for name, value in values.items()}
    return Sources(("/c.yml",), {"/c.yml": FILE}, model, variables)


def test_a_host_ip_that_compose_refuses_without_a_model_has_its_line_and_variable() -> None:
    said = "services.db.ports.[]: invalid ip address: 127.0.0.1 \n"
    error = explain(said, known({}, BIND="127.0.0.1 "))
    assert error.sentence == (
        '/c.yml:12: service db: ports.host_ip: `${BIND}`: "127.0.0.1 " is not an IP address; '
        'BIND is "127.0.0.1 ", with a blank at its end (.env:1)'
    )
    assert error.hint == "correct BIND in .env:1"


def test_a_long_port_that_only_the_engine_refuses_has_its_line_and_variable() -> None:
    raw = {"services": {"db": {"ports": [{"target": 5432, "published": "${DB_PORT}"}]}}}
    resolved = {"services": {"db": {"ports": [{"target": 5432, "published": "54 32"}]}}}
    wrong = wrong_port(resolved)
    assert wrong is not None
    error = explain_port(wrong, (), known(raw, DB_PORT="54 32"))
    assert error.sentence == (
        '/c.yml:11: service db: ports.published: `${DB_PORT}`: "54 32" is not a port number or a '
        'range; DB_PORT is "54 32" (.env:1)'
    )


def test_a_volume_that_compose_split_already_is_found_with_its_empty_variable() -> None:
    model = {"services": {"db": {"volumes": [{"source": "${DATA}", "target": "/data"}]}}}
    error = explain("invalid spec: :/data: empty section between colons\n", known(model))
    assert error.sentence.startswith("/c.yml:8: service db: volumes: `${DATA}:/data`: no source")
    assert "because DATA is not set" in error.sentence


def test_a_volume_with_options_is_found_and_no_other_empty_variable_is_blamed() -> None:
    said = "invalid spec: :/data:ro,z: empty section between colons\n"
    model = {"services": {"db": {"volumes": [{"source": "${DATA}", "target": "/data"}]}}}
    assert "because DATA is not set" in explain(said, known(model)).sentence
    warnings = "".join(
        f'level=warning msg="The \\"{name}\\" variable is not set."\n' for name in "AB"
    )
    assert explain(warnings + said, known({})).hint == "write volumes as SOURCE:TARGET[:ro]"


def test_files_that_include_each_other_are_told() -> None:
    error = explain(
        "include cycle detected:\n/c.yml\n include /d.yml\n include /c.yml\n", known({})
    )
    assert error.sentence == "/c.yml: include: it includes itself, over other files"
    assert error.hint == "remove one `include`"


def test_a_project_name_that_is_wrong_is_told_with_the_place_of_its_variable() -> None:
    said = 'invalid project name "My Shop": must consist only of lowercase letters\n'
    error = explain(said, known({}, COMPOSE_PROJECT_NAME="My Shop"))
    assert 'COMPOSE_PROJECT_NAME is "My Shop" (.env:1)' in error.sentence
    assert ".env:1" in error.hint


def test_an_entry_of_an_included_file_is_told_with_that_file() -> None:
    model = {"services": {"cache": {"ports": ["${CACHE:-63x}:6379"]}}}
    used = {"/srv/cache.yml": 'services:\n  cache:\n    ports: ["${CACHE:-63x}:6379"]\n'}
    error = explain("invalid hostPort: 63x\n", replace(known(model), used=used))
    assert error.sentence.startswith("/srv/cache.yml:3: service cache: ports: ")


def test_all_variables_that_are_not_set_are_named_in_the_advice() -> None:
    model = {"services": {"db": {"ports": ["${HOST_PORT}:${INNER_PORT}"]}}}
    error = explain("no port specified: :<empty>\n", known(model))
    assert "because HOST_PORT and INNER_PORT are not set" in error.sentence
    assert error.hint == (
        "set HOST_PORT and INNER_PORT in the environment's env file,"
        " or give them defaults: ${HOST_PORT:-DEFAULT}, ${INNER_PORT:-DEFAULT}"
    )
