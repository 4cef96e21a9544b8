"""The documents: links lead somewhere, cited rules exist, and the reference names what the code has."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from dartsctl.config import environment, settings
from dartsctl.diagnosis.findings import Cause
from dartsctl.errors import ExitCode

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "src" / "dartsctl"
CODE = sorted([*SOURCE.rglob("*.py"), *(REPOSITORY / "tests").rglob("*.py")])
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CITATION = re.compile(r"(engine-rules|edge-cases)\.md#([a-z0-9-]+)")
_FILE = re.compile(r"`((?:src|tests|docs|benchmarks)/[a-z0-9_./-]+)`")
_MODULE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)(?:: \w+)?`")
_NAME_IN_MODULE = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py): (\w+)`")
_ELSEWHERE = re.compile(r"[a-z]+:")


@functools.cache
def documents() -> tuple[Path, ...]:
    """Every Markdown file that belongs to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = (REPOSITORY / name for name in listed.stdout.splitlines())
    return tuple(file for file in files if file.is_file())


@functools.cache
def prose(file: Path) -> str:
    """The text of a document without its code blocks."""
    return _FENCED.sub("", file.read_text())


@functools.cache
def anchors(file: Path) -> frozenset[str]:
    """What a link may name behind `#`: explicit anchors, and GitHub's names for headings."""
    text = prose(file)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    explicit = re.findall(r'<a id="([^"]+)"></a>', text)
    return frozenset([*explicit, *map(_slug, headings)])


def _slug(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return plain.strip().replace(" ", "-")


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


@pytest.mark.parametrize("name", ["engine-rules.md", "edge-cases.md", "project-layout.md"])
def test_no_anchor_is_there_twice(name: str) -> None:
    explicit = re.findall(r'<a id="([^"]+)"></a>', (REPOSITORY / "docs" / name).read_text())
    assert len(explicit) == len(set(explicit))


def test_every_rule_that_is_cited_has_its_anchor() -> None:
    unknown = set()
    for file in [*CODE, *documents()]:
        for name, anchor in _CITATION.findall(file.read_text()):
            if anchor not in anchors(REPOSITORY / "docs" / f"{name}.md"):
                unknown.add(f"{file.relative_to(REPOSITORY)}: {name}.md#{anchor}")
    assert unknown == set()


def test_edge_cases_are_numbered_without_a_gap() -> None:
    numbers = sorted(
        int(name) for name in anchors(REPOSITORY / "docs/edge-cases.md") if name.isdigit()
    )
    assert numbers == list(range(1, len(numbers) + 1))


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


def test_every_name_that_a_document_gives_with_its_file_is_defined_there() -> None:
    missing = set()
    for document in documents():
        for name, defined in _NAME_IN_MODULE.findall(prose(document)):
            if defined not in (SOURCE / name).read_text():
                missing.add(f"{document.name}: {name}: {defined}")
    assert missing == set()


# --- the reference ------------------------------------------------------------------------------


def reference() -> str:
    return (REPOSITORY / "docs/reference.md").read_text()


def test_the_reference_has_every_settings_key() -> None:
    records = (
        settings.EnvironmentSettings,
        settings.ServerSettings,
        settings.DoctorSettings,
    )
    keys = {one.name for record in records for one in fields(record)} - {"env"}
    keys |= {"name", "dev_range", "[ports.production]", "[server.env]"}
    assert {key for key in keys if f"`{key}`" not in reference()} == set()


def test_the_reference_has_every_variable_of_the_settings() -> None:
    names = [*settings.VARIABLES, settings.PROJECT_DIR]
    assert [name for name in names if f"`{name}`" not in reference()] == []


def test_the_reference_has_every_conventional_name() -> None:
    names = [name for group in environment.CONVENTIONAL.values() for name in group]
    assert [name for name in names if f"`{name}`" not in reference()] == []


def test_the_reference_has_every_exit_code() -> None:
    section = reference().partition("## Exit codes")[2].partition("## ")[0]
    assert [code for code in ExitCode if f"| {int(code)} |" not in section] == []


def test_the_reference_says_where_causes_are_listed() -> None:
    assert Cause.__module__.replace(".", "/") in reference()
