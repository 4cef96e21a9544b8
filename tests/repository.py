"""The repository's own files, for tests that read them: sources, documents, anchors."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "src" / "dartsctl"
MODULES = tuple(sorted(SOURCE.rglob("*.py")))
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def module_name(file: Path) -> str:
    """Return the path of a module inside the package: `ports/conflicts.py`."""
    return file.relative_to(SOURCE).as_posix()


def literals(module: str, name: str) -> tuple[str, ...]:
    """Return the words of a `Literal` type that only type checkers see: `NAME = Literal[...]`."""
    for node in ast.walk(ast.parse((SOURCE / module).read_text())):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            words = ast.literal_eval(ast.unparse(node.value).removeprefix("Literal"))
            return tuple(words)
    raise LookupError(f"{module} has no {name}")


@functools.cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """Return the files of the repository, new ones included. Skips the test without git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
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
    """Return the text of a document without its code blocks."""
    return _FENCED.sub("", file.read_text())


@functools.cache
def anchors(file: Path) -> frozenset[str]:
    """Return what a link may name behind `#`: explicit anchors and GitHub's names of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE)
    return frozenset([*explicit_anchors(file), *map(_slug, headings)])


def explicit_anchors(file: Path) -> list[str]:
    """Return the anchors that are written into a document, in their order."""
    return re.findall(r'<a id="([^"]+)"></a>', prose(file))


def _slug(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return plain.strip().replace(" ", "-")
