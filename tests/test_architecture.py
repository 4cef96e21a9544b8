"""The rules of the house that no linter knows: sole owners, the tree, citations, places."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from repository import MODULES, REPOSITORY, SOURCE, anchors, module_name, tracked

pytestmark = pytest.mark.once

OWNERS: dict[str, set[str]] = {
    "apprise": {"edges/notify/sender.py"},
    "dotenv": {"edges/project/env_files.py"},
    "prometheus_client": {"edges/metrics/exporter.py"},
    "prompt_toolkit": {"edges/screen/prompts.py"},
    "psutil": {"edges/host/processes.py", "edges/host/socket_readers.py"},
    "python_on_whales": {"edges/engine/remote_query.py"},
    "questionary": {"edges/screen/prompts.py"},
    "requests": {"edges/notify/sender.py"},
    "rich": {f"edges/screen/{name}.py" for name in ("output", "dashboard", "page")},
    "shellingham": {"cli/completion_setup.py"},
    "subprocess": {"edges/reserve/process.py", "edges/supervisor/client.py"},
}
"""Library -> the only files that may import it. `typer`: all of cli/."""

WITHOUT_PACKAGE = {"__init__.py", "__main__.py", "errors.py", "records.py", "spawn.py"}
GUARD = "guard_path/_dartsctl_guard/__init__.py"
OTHERS_THAT_PRINT = {
    "__main__.py",  # --version, before anything is imported
    "cli/baked_help.py",  # help, before anything is imported
    "cli/boundary.py",  # Click's own help
    "cli/app.py",  # --version after other options
    "edges/engine/remote_query.py",  # answers the process that started it
    "edges/notify/sender.py",  # the same
    GUARD,  # says in another program why its bind is refused
}
THOSE_THAT_EXIT = {
    GUARD,  # ends a reloader's child that was refused
    "__main__.py",
    "edges/engine/remote_query.py",
    "edges/notify/sender.py",
    "edges/supervisor/main.py",
    "system/group_leader.py",
    "system/interrupts.py",
}


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def nodes(file: Path) -> list[ast.AST]:
    return list(ast.walk(tree_of(file)))


@functools.cache
def imports(file: Path) -> tuple[tuple[str, bool], ...]:
    """Return the top-level packages that a file imports at run time.

    With each: whether it is imported when the file itself is imported.
    """
    inside_functions = {
        id(node)
        for function in nodes(file)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for_types_only = {
        id(node)
        for block in nodes(file)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    imported: list[tuple[str, bool]] = []
    for node in nodes(file):
        if id(node) in for_types_only:
            continue
        at_import = id(node) not in inside_functions
        if isinstance(node, ast.Import):
            imported += [(alias.name.partition(".")[0], at_import) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imported.append((node.module.partition(".")[0], at_import))
    return tuple(imported)


@functools.cache
def calls(file: Path) -> frozenset[str]:
    """Return every call's name as it is written: `print`, `os.execvp`, `sys.stdout.write`."""
    return frozenset(ast.unparse(node.func) for node in nodes(file) if isinstance(node, ast.Call))


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    """Return where a pattern stands in the source: `ports/lint.py:12`."""
    places = []
    for file in MODULES:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if pattern.search(line):
                places.append(f"{module_name(file)}:{number}")
    return places


# --- sole owners --------------------------------------------------------------------------------


@pytest.mark.parametrize("library", OWNERS)
def test_each_library_has_its_owner(library: str) -> None:
    users = {module_name(file) for file in MODULES if library in dict(imports(file))}
    assert users <= OWNERS[library]


def test_only_the_command_line_knows_typer() -> None:
    users = [file for file in MODULES if {"typer", "click"} & set(dict(imports(file)))]
    assert {module_name(file).partition("/")[0] for file in users} == {"cli"}


def test_the_package_declares_what_it_imports_and_nothing_else() -> None:
    # the last two are the guard's, in a folder of sys.path of its own
    own = {"dartsctl", "_dartsctl_guard", "sitecustomize"}
    used = {module for file in MODULES for module, _ in imports(file)}
    parts_of_other_pythons = {"_sha2", "_sha256"}  # before and since 3.12
    used -= sys.stdlib_module_names | own | parts_of_other_pythons
    assert used == {*OWNERS, "typer"} - sys.stdlib_module_names
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[<>=!~ \[]", text)[0] for text in declared}
    modules = {name.replace("-", "_").replace("python_dotenv", "dotenv") for name in names}
    assert modules == used


def test_a_heavy_library_is_imported_only_where_it_is_used() -> None:
    """Imported with a module, it would cost every command its start-up time."""
    heavy = set(OWNERS) - {"subprocess"}
    early = []
    for file in MODULES:
        for module, at_import in imports(file):
            if module in heavy and at_import:
                early.append((module_name(file), module))
    assert early == []


def test_only_the_screen_prints() -> None:
    printing = re.compile(r"print|sys\.(stdout|stderr)\.write")
    files = [file for file in MODULES if any(map(printing.fullmatch, calls(file)))]
    assert {module_name(file) for file in files} <= OTHERS_THAT_PRINT


def test_only_entry_points_end_a_process() -> None:
    ending = {"sys.exit", "os._exit", "exit", "quit", "SystemExit"}
    assert {module_name(file) for file in MODULES if ending & set(calls(file))} <= THOSE_THAT_EXIT


def test_the_outside_world_is_chosen_in_one_place() -> None:
    """Everything else gets it as Deps. Edges have defaults of their own."""
    choices = {"Host", "engine_at", "endpoint", "state_folder"}
    chosen = {module_name(file) for file in MODULES if choices & calls(file)}
    assert {name for name in chosen if not name.startswith("edges/")} == {"cli/deps.py"}


def test_no_verb_and_no_workflow_reads_the_environment_variables() -> None:
    readers = lines_that_match(re.compile(r"\bos\.(?:environ|getenv)\b"))
    assert [place for place in readers if place.startswith(("commands/", "workflows/"))] == []


def test_a_command_about_a_file_that_people_may_paste_is_quoted() -> None:
    """A folder's name may contain `$(...)`, which must not run."""
    command = r"(?:ls|cp|mv|rm|df|cat|file|chmod|chown|touch|mkdir|fuser)\b"
    unquoted = re.compile(rf'hint=f"(?:[^"]*: )?(?:sudo )?{command}[^"]*\{{(?!shlex)')
    places = []
    for file in MODULES:
        matches = unquoted.finditer(file.read_text())
        places += [f"{module_name(file)}: {match[0]}" for match in matches]
    assert places == []


COMMANDS = re.compile(
    r"(?:dartsctl|docker|sudo|ls|ps|ss|ip|cp|mv|rm|df|file|kill|fuser|chmod|systemctl|ulimit|open"
    r"|openssl|python3|brew|curl|mkdir|unset)\b"
)


def literal_hints(file: Path) -> Iterator[str]:
    """Yield the beginning of every literal `hint=` that is not an Advice."""
    for node in ast.walk(tree_of(file)):
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            value = keyword.value
            if isinstance(value, ast.JoinedStr):
                value = value.values[0]
            if keyword.arg == "hint" and isinstance(value, ast.Constant) and value.value:
                yield str(value.value)


def test_a_hint_in_words_is_an_advice_and_every_other_hint_is_a_command() -> None:
    """`next:` shows only what can be pasted (docs/project-layout.md)."""
    words = [
        f"{module_name(file)}: {text}"
        for file in MODULES
        for text in literal_hints(file)
        if not COMMANDS.match(text)
    ]
    assert words == []


def test_no_group_of_a_pattern_is_possessive() -> None:
    """Python before 3.11.5 (Debian 12 has 3.11.2) matches them wrongly: gh-106052.

    For a single class, as in `[a-z]++`, it is right.
    """
    assert lines_that_match(re.compile(r"\)(?:[*+?]|\{[\d,]+\})\+|\(\?>")) == []


# --- the tree -----------------------------------------------------------------------------------


def mapped() -> set[str]:
    """Return the files in the tree of docs/project-layout.md.

    The tree is a code block whose first line is `src/dartsctl/`. Folders end with a slash, and
    what is in them is indented.
    """
    text = (REPOSITORY / "docs/project-layout.md").read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    tree = next(block for block in blocks if block.lstrip().startswith("src/dartsctl/"))
    files: set[str] = set()
    folders: list[tuple[int, str]] = []
    for line in tree.splitlines():
        match = re.match(r"( *)((?:[\w/-]+\.py(?:, *)?)+|[\w/-]+/)(?:\s|$)", line)
        if not match:
            continue
        depth = len(match[1])
        folders = [folder for folder in folders if folder[0] < depth]
        if match[2].endswith("/"):
            folders.append((depth, match[2]))
        else:
            base = "".join(name for _, name in folders)
            files |= {base + name.strip() for name in match[2].split(",") if name.strip()}
    return {name.removeprefix("src/dartsctl/") for name in files}


def test_the_tree_in_the_documents_equals_the_files() -> None:
    files = {module_name(file) for file in MODULES}
    packages = {name for name in files if name.endswith("/__init__.py")}
    assert mapped() - files == set(), "in docs/project-layout.md, and not there"
    assert files - mapped() - packages == set(), "there, and not in docs/project-layout.md"


def test_every_module_is_in_a_package() -> None:
    assert {file.name for file in SOURCE.glob("*.py")} == WITHOUT_PACKAGE


def test_no_package_has_a_quarter_of_the_code() -> None:
    """The workflows count by their stories, which have an import contract of their own."""
    sizes: Counter[str] = Counter()
    for file in MODULES:
        package, *rest = module_name(file).split("/")
        if package == "workflows":
            package = "/".join((package, *rest[:1]))
        sizes[package] += len(file.read_text().splitlines())
    name, lines = sizes.most_common(1)[0]
    assert lines * 4 < sizes.total(), name


# --- citations and places -----------------------------------------------------------------------


def test_every_rule_that_is_cited_has_its_anchor() -> None:
    citation = re.compile(r"(engine-rules|edge-cases)\.md#([a-z0-9-]+)")
    unknown = set()
    for file in tracked("*.py", "*.md", "*.yml", "*.sh"):
        for name, anchor in citation.findall(file.read_text()):
            if anchor not in anchors(REPOSITORY / "docs" / f"{name}.md"):
                unknown.add(f"{file.relative_to(REPOSITORY)}: {name}.md#{anchor}")
    assert unknown == set()


def test_no_file_names_a_place_of_one_machine() -> None:
    places = re.compile(
        r"(?<![\w.])(?:/work/(?:main|shared|\.library)|/root/\.|/home/\w+/\.|/var/cache/eng|/tmp/v\b)"
    )
    named = []
    for file in tracked():
        if file == Path(__file__):
            continue
        text = file.read_bytes().decode(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if places.search(line):
                named.append(f"{file.relative_to(REPOSITORY)}:{number}")
    assert named == []


# --- style --------------------------------------------------------------------------------------

MOST_CONDITIONAL_EXPRESSIONS = 12
MOST_COMPREHENSIONS = 25
LONGEST_FUNCTION = 40
LONGEST_LINE = 100
VAGUE_NAMES = {"one", "found"}
"""Not bound outside comprehensions: say what it is, such as `container` or `binding`."""
VAGUE_WORDS = {"told", "vain", "young", "means", "hands", "shelf", "fate", "lack", "surroundings"}
"""Not in any name, on their own or as a part: `_too_young`, `Hands`."""
UNCLEAR_PHRASES = re.compile(
    r"\b(not to be had|cannot be had|could not be had|nobody is there|in vain|wrong words|put right"
    r"|was not looked at|were not looked at|count again|let the engine find out"
    r"|would not be safe|things? to put)\b",
    re.IGNORECASE,
)
"""Translated or literary; CONTRIBUTING.md has the glossary."""
FORMER_SOURCES = re.compile(
    r"\bDESIGN (?:section )?\d|\bDESIGN,|\bEDGE \d|\bCASES \d"
    r"|\b(?:PORTS|ENGINES|PERFORMANCE|REALSTACK)\b(?: \d|,)"
    r"|\b(?:PORTS|ENGINES|EDGE-CASES|PERFORMANCE|REALSTACK|COPIES|LAYOUT|STYLE)\.md"
)
ERRORS = {
    "DartsctlError",
    "DockerUnavailable",
    "Interrupted",
    "NotHealthy",
    "Refused",
    "TimedOut",
    "UsageError",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def per_thousand_lines(kinds: tuple[type[ast.AST], ...]) -> float:
    """Return how many nodes of these kinds the source has per 1,000 lines."""
    lines = sum(len(file.read_text().splitlines()) for file in MODULES)
    count = sum(isinstance(node, kinds) for file in MODULES for node in nodes(file))
    return count * 1000 / lines


def test_conditional_expressions_are_few() -> None:
    assert per_thousand_lines((ast.IfExp,)) <= MOST_CONDITIONAL_EXPRESSIONS


def test_comprehensions_are_few() -> None:
    kinds = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    assert per_thousand_lines(kinds) <= MOST_COMPREHENSIONS


def length(function: Function) -> int:
    """Return the lines of a function, signature included, without the functions inside it."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    inner = [node for node in ast.iter_child_nodes(function) if isinstance(node, Function)]
    return lines - sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in inner)


def is_verb(function: Function, file: Path) -> bool:
    """Return whether it is a verb, or the command that calls one."""
    package = module_name(file).partition("/")[0]
    return package in ("cli", "commands") and not function.name.startswith("_")


def test_no_function_is_long_but_verbs() -> None:
    long = []
    for file in MODULES:
        for node in nodes(file):
            if not isinstance(node, Function) or is_verb(node, file):
                continue
            if length(node) > LONGEST_FUNCTION:
                long.append(f"{module_name(file)}: {node.name}: {length(node)} lines")
    assert not long, "\n".join(long)


def test_no_line_is_long() -> None:
    assert lines_that_match(re.compile(rf".{{{LONGEST_LINE + 1},}}")) == []


@functools.cache
def bound_names(file: Path) -> tuple[tuple[str, int, bool], ...]:
    """Return every name that a file binds: the name, its line, and whether in a comprehension."""
    in_comprehension = {
        id(name)
        for node in nodes(file)
        if isinstance(node, ast.comprehension)
        for name in ast.walk(node.target)
    }
    names: list[tuple[str, int, bool]] = []
    for node in nodes(file):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                pass
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                pass
            case ast.ClassDef(name=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                pass
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                pass
            case _:
                continue
        names.append((name, node.lineno, id(node) in in_comprehension))
    return tuple(names)


def words_of(name: str) -> set[str]:
    """Return the words of a name: those of `MissingBinding` are `missing` and `binding`."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {part.lower() for part in parts}


def test_no_name_is_vague() -> None:
    vague = []
    for file in MODULES:
        for name, line, in_comprehension in bound_names(file):
            is_bare = name in VAGUE_NAMES and not in_comprehension
            if is_bare or VAGUE_WORDS & words_of(name):
                vague.append(f"{module_name(file)}:{line}: {name}")
    assert not vague, "\n".join(vague)


def test_no_text_has_an_unclear_phrase() -> None:
    unclear = []
    for file in tracked("src", "docs", "compose", "benchmarks", "*.md", "Makefile", "*.toml"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if match := UNCLEAR_PHRASES.search(line):
                unclear.append(f"{file.relative_to(REPOSITORY)}:{number}: {match[0]}")
    assert not unclear, "\n".join(unclear)


def test_no_error_message_ends_with_a_full_stop() -> None:
    ending = []
    for file in MODULES:
        for node in nodes(file):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) in ERRORS and node.args):
                continue
            text = node.args[0]
            last = text.values[-1] if isinstance(text, ast.JoinedStr) else text
            if isinstance(last, ast.Constant) and str(last.value).endswith("."):
                ending.append(f"{module_name(file)}:{node.lineno}")
    assert not ending, "\n".join(ending)


def test_only_documents_of_the_repository_are_cited() -> None:
    cited = []
    for file in tracked("*.py", "*.md", "*.yml", "*.toml", "*.sh"):
        if file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if match := FORMER_SOURCES.search(line):
                cited.append(f"{file.relative_to(REPOSITORY)}:{number}: {match[0]}")
    assert not cited, "\n".join(cited)


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names alone, and a whole run would fail."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
