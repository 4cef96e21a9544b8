"""The documents: links lead somewhere, files exist, and the reference names what the code has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from dartsctl.config import conventional_names, settings, variables
from dartsctl.diagnosis.findings import Cause
from dartsctl.errors import ExitCode
from dartsctl.records import fields
from repository import REPOSITORY, SOURCE, anchors, explicit_anchors, literals, prose, tracked

pytestmark = pytest.mark.once

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FILE = re.compile(r"`((?:src|tests|docs|benchmarks)/[a-z0-9_./-]+)`")
_MODULE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)(?:: \w+)?`")
_NAME_IN_MODULE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py): (\w+)`")
_ELSEWHERE = re.compile(r"[a-z]+:")


def documents() -> tuple[Path, ...]:
    return tracked("*.md")


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for document in documents():
        for link in _LINK.findall(prose(document)):
            path, _, anchor = link.partition("#")
            target = document.parent / path if path else document
            if _ELSEWHERE.match(link):
                continue
            if not target.exists():
                broken.append(f"{document.name}: {link}: no such file")
            elif anchor and anchor not in anchors(target):
                broken.append(f"{document.name}: {link}: no such anchor")
    assert broken == []


@pytest.mark.parametrize("name", ["engine-rules", "edge-cases", "project-layout", "reference"])
def test_no_anchor_is_there_twice(name: str) -> None:
    written = explicit_anchors(REPOSITORY / "docs" / f"{name}.md")
    assert len(written) == len(set(written))


def test_edge_cases_are_numbered_without_a_gap() -> None:
    numbers = [int(name) for name in explicit_anchors(REPOSITORY / "docs/edge-cases.md")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_test_that_an_edge_case_names_cites_it() -> None:
    text = (REPOSITORY / "docs/edge-cases.md").read_text()
    entries = re.split(r'<a id="(\d+)"></a>', text)[1:]
    silent = []
    for number, entry in zip(entries[::2], entries[1::2], strict=True):
        citation = re.compile(rf"edge-cases\.md#{number}\b")
        for name in re.findall(r"`(tests/[\w./]+)`", entry):
            file = REPOSITORY / name
            if file.exists() and not citation.search(file.read_text()):
                silent.append(f"{number}: {name}")
    assert silent == []


def test_every_file_that_a_document_names_is_there() -> None:
    missing = set()
    for document in documents():
        if document.name == "CHANGELOG.md":  # it tells of files that are gone
            continue
        named = set(_FILE.findall(prose(document))) | set(_MODULE.findall(prose(document)))
        for name in named:
            if not (REPOSITORY / name).exists() and not (SOURCE / name).exists():
                missing.add(f"{document.name}: {name}")
    assert missing == set()


def test_every_name_that_a_document_gives_with_its_file_is_there() -> None:
    missing = set()
    for document in documents():
        for name, defined in _NAME_IN_MODULE.findall(prose(document)):
            if defined not in (SOURCE / name).read_text():
                missing.add(f"{document.name}: {name}: {defined}")
    assert missing == set()


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "docs/project-layout.md"])
def test_the_layers_in_the_documents_are_those_of_the_import_contract(name: str) -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [re.findall(r"\w+", layer) for layer in contracts["contracts"][0]["layers"]]
    expected = [package for layer in layers for package in layer if package != "__main__"]
    block = re.search(
        r"^```\n(cli -> .*?)```", (REPOSITORY / name).read_text(), re.DOTALL | re.MULTILINE
    )
    assert block is not None
    assert re.findall(r"\w+", block[1]) == expected


# --- the reference ------------------------------------------------------------------------------


def reference() -> str:
    return (REPOSITORY / "docs/reference.md").read_text()


def test_the_reference_has_every_settings_key() -> None:
    records = (
        settings.EnvironmentSettings,
        settings.ServerSettings,
        settings.DoctorSettings,
        settings.WatchSettings,
    )
    keys = {name for record in records for name in fields(record)} - {"env", "copy_of"}
    keys |= {"name", "dev_range", "[ports.production]", "[server.env]"}
    assert {key for key in keys if f"`{key}`" not in reference()} == set()


def test_the_reference_has_every_variable_of_the_settings() -> None:
    names = [*variables.VARIABLES, variables.PROJECT_DIR]
    assert [name for name in names if f"`{name}`" not in reference()] == []


def test_the_reference_has_every_conventional_name() -> None:
    section = reference().partition("### Conventional names")[2].partition("## ")[0]
    words = [word for group in conventional_names.WORDS.values() for word in group]
    folders = [f"{place}/" for place in conventional_names.FOLDERS if place]
    assert [word for word in (*words, *folders) if f"`{word}`" not in section] == []


def test_the_reference_has_every_exit_code() -> None:
    section = reference().partition("## Exit codes")[2].partition("## ")[0]
    assert [code for code in ExitCode if f"| {int(code)} |" not in section] == []


def test_the_reference_has_every_cause_and_kind_of_objection() -> None:
    words = [*(cause.value for cause in Cause), *literals("config/secrets.py", "Kind")]
    assert [word for word in words if f"`{word}`" not in reference()] == []


def test_the_reference_has_every_code_of_a_warning() -> None:
    text = "".join((SOURCE / f"ports/{name}.py").read_text() for name in ("lint", "drift"))
    codes = set(re.findall(r'(?:Notice\(|return )\s*"([a-z-]+)"', text))
    assert len(codes) > 9
    assert {code for code in codes if f"`{code}`" not in reference()} == set()
