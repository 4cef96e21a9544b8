"""The house's rules that no linter knows: who may import what, the map in docs/project-layout.md, and nothing of one machine in any file."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "src" / "dartsctl"
FILES = sorted(SOURCE.rglob("*.py"))

OWNERS: dict[str, set[str]] = {
    "dotenv": {"edges/project/env_files.py"},
    "prompt_toolkit": {"edges/screen/prompts.py"},
    "psutil": {"edges/host/processes.py", "edges/host/sockets.py"},
    "python_on_whales": {"edges/engine/remote_query.py"},
    "questionary": {"edges/screen/prompts.py"},
    "rich": {"edges/screen/output.py"},
    "subprocess": {"spawn.py", "edges/supervisor/client.py"},
}
"""Library -> the only files that may import it, and only within a function where it is not the standard library's. `typer`: all of cli/."""


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def name_of(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


@functools.cache
def imports(file: Path) -> tuple[tuple[str, bool], ...]:
    """Every module that a file imports at run time: its top-level package, and whether that happens at the file's own import."""
    tree = tree_of(file)
    late = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    found: list[tuple[str, bool]] = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name.partition(".")[0], id(node) not in late) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append((node.module.partition(".")[0], id(node) not in late))
    return tuple(found)


@functools.cache
def calls(file: Path) -> frozenset[str]:
    """Every call's name, dotted as it is written: `print`, `os.execvp`, `sys.stdout.write`."""
    return frozenset(
        ast.unparse(node.func) for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call)
    )


@pytest.mark.parametrize("library", OWNERS)
def test_each_outside_thing_has_its_owner(library: str) -> None:
    assert {name_of(file) for file in FILES if library in dict(imports(file))} <= OWNERS[library]


def test_only_the_command_line_knows_typer() -> None:
    assert {
        name_of(file).partition("/")[0]
        for file in FILES
        if {"typer", "click"} & set(dict(imports(file)))
    } == {"cli"}


def test_no_other_library_is_used_and_each_that_is_declared_is_known() -> None:
    own = {
        "dartsctl",
        "_dartsctl_guard",
        "sitecustomize",
    }  # the last two: the guard's, in a folder of sys.path by itself
    used = (
        {module for file in FILES for module, _ in imports(file)}
        - set(sys.stdlib_module_names)
        - own
    )
    assert used <= {*OWNERS, "typer"}
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[<>=!~ \[]", one)[0].replace("-", "_") for one in declared}
    assert {"dotenv" if name == "python_dotenv" else name for name in names} <= {*OWNERS, "typer"}


def test_a_heavy_library_is_imported_only_where_it_is_used() -> None:
    """At a module's own import it would cost every command its start-up time (PERFORMANCE.md)."""
    heavy = set(OWNERS) - {"subprocess"}
    assert [
        (name_of(file), module)
        for file in FILES
        for module, at_import in imports(file)
        if module in heavy and at_import
    ] == []


def test_only_the_screen_prints() -> None:
    printing = {
        name_of(file)
        for file in FILES
        if any(
            name == "print" or re.fullmatch(r"sys\.(stdout|stderr)\.write", name)
            for name in calls(file)
        )
    }
    others = {"__main__.py", "cli/__init__.py", "cli/app.py", "edges/engine/remote_query.py"}
    assert printing <= others, (
        "besides edges/screen/output.py: --version, Click's own help, and a program that answers the process that started it"
    )


def test_only_entry_points_end_a_process() -> None:
    ending = {
        name_of(file)
        for file in FILES
        if {"sys.exit", "os._exit", "exit", "quit", "SystemExit"} & set(calls(file))
    }
    assert ending <= {
        "__main__.py",
        "edges/engine/remote_query.py",
        "edges/supervisor/main.py",
        "system/group_leader.py",
        "system/interrupts.py",
    }


def test_a_command_about_a_file_that_people_may_paste_is_quoted() -> None:
    """A path may be anybody's: `$(...)` in a folder's name must not run. wording.shell_command, or shlex itself."""
    unquoted = re.compile(
        r'hint=f"(?:[^"]*: )?(?:sudo )?(?:ls|cp|mv|rm|df|cat|file|chmod|chown|touch|mkdir|fuser)\b[^"]*\{(?!shlex)'
    )
    found = [
        f"{name_of(file)}: {match[0]}"
        for file in FILES
        for match in unquoted.finditer(file.read_text())
    ]
    assert found == []


def test_no_group_of_a_pattern_is_possessive() -> None:
    """Python before 3.11.5 matches them wrongly (gh-106052), Debian 12's is 3.11.2. Of a single class, `[a-z]++`, they are right."""
    possessive = re.compile(r"\)(?:[*+?]|\{[\d,]+\})\+|\(\?>")
    found = [
        f"{name_of(file)}:{number}"
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if possessive.search(line)
    ]
    assert found == []


# --- the map ------------------------------------------------------------------------------------------------------------------


def mapped() -> set[str]:
    """The files in docs/project-layout.md's tree: a block whose first line is `src/dartsctl/`, folders ending in a slash, deeper lines indented."""
    text = (REPOSITORY / "docs/project-layout.md").read_text()
    block = next(
        one
        for one in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        if one.lstrip().startswith("src/dartsctl/")
    )
    found: set[str] = set()
    folders: list[tuple[int, str]] = []
    for line in block.splitlines():
        match = re.match(r"( *)((?:[\w/-]+\.py(?:, *)?)+|[\w/-]+/)(?:\s|$)", line)
        if not match:
            continue
        depth = len(match[1])
        folders = [one for one in folders if one[0] < depth]
        base = "".join(name for _, name in folders)
        if match[2].endswith("/"):
            folders.append((depth, match[2]))
        else:
            found |= {base + name.strip() for name in match[2].split(",") if name.strip()}
    return {name.removeprefix("src/dartsctl/") for name in found}


def test_the_map_equals_the_tree() -> None:
    tree = {name_of(file) for file in FILES}
    assert mapped() - tree == set(), "in docs/project-layout.md, and not there"
    packages = {
        name for name in tree if name.endswith("/__init__.py")
    }  # the folder's own line describes it
    assert tree - mapped() - packages == set(), "there, and not in docs/project-layout.md"


# --- one machine's things -----------------------------------------------------------------------------------------------------


def test_no_file_names_a_place_of_one_machine() -> None:
    places = re.compile(
        r"(?<![\w.])(?:/work/(?:main|shared|\.library)|/root/\.|/home/\w+/\.|/var/cache/eng|/tmp/v\b)"
    )
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in listed.stdout.splitlines():
        file = REPOSITORY / name
        if file.is_file() and file != Path(__file__):
            text = file.read_bytes().decode(errors="replace")
            found += [
                f"{name}:{number}"
                for number, line in enumerate(text.splitlines(), 1)
                if places.search(line)
            ]
    assert found == []
