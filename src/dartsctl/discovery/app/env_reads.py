"""Which environment variables an app reads, and what it takes where one is not set."""

from __future__ import annotations

import ast

from dartsctl.discovery.app.sources import Sources, argument, dotted, text_of
from dartsctl.records import record
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUBSCRIPTS = ("os.environ", "environ", "env")
_CALLS = frozenset(
    [
        *("os.getenv", "getenv", "os.environ.get", "environ.get"),
        *("os.environ.setdefault", "environ.setdefault", "config", "decouple.config"),
        *("env", "env.str", "env.int", "env.url", "env.db", "env.get", "env.db_url"),
        "env.cache_url",
    ]
)
"""os, python-decouple, environs and django-environ."""
_NAME = regex(r"[A-Z][A-Z0-9_]*")


@record
class EnvRead:
    """A variable that is read at `where` (`app.py:12`). `default`: its literal default, if any."""

    name: str
    default: str | None
    where: str
    is_required: bool = False
    """Whether the app ends without it: `os.environ["NAME"]`."""
    has_default: bool = True
    """Whether the app takes anything where it is not set, even if that is not seen."""
    is_in_url: bool = False
    """Whether a URL has its value as host, without a port: `f"mysql://{NAME}/shop"`."""


def env_reads(sources: Sources, paths: Iterable[str]) -> tuple[EnvRead, ...]:
    """Return the variables that these files read, each once: with its default, if one has it."""
    reads: dict[str, EnvRead] = {}
    for path in paths:
        tree = sources.tree(path)
        if tree is None:
            continue
        for read in _reads_in(tree, path):
            known = reads.get(read.name)
            if known is None or (known.default is None and read.default is not None):
                reads[read.name] = read
    return tuple(reads.values())


def overriding_load(sources: Sources, paths: Iterable[str]) -> str:
    """Return where an app loads its .env file over its environment, empty if it does not."""
    for path in paths:
        for node in sources.nodes(path):
            if isinstance(node, ast.Call) and dotted(node.func).endswith("load_dotenv"):
                override = argument(node, "override")
                if isinstance(override, ast.Constant) and override.value is True:
                    return f"{path}:{node.lineno}"
    return ""


def read_by(node: ast.AST) -> tuple[str, str | None] | None:
    """Return the name and default of the variable that an expression reads itself, if it does."""
    if isinstance(node, ast.Subscript) and dotted(node.value) in _SUBSCRIPTS:
        name, default = text_of(node.slice), None
    elif isinstance(node, ast.Call) and dotted(node.func) in _CALLS:
        name = text_of(argument(node, "key", 0))
        default = text_of(argument(node, "default", 1))
    elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        first = read_by(node.values[0])
        if first is None:
            return None
        name, default = first[0], first[1] or text_of(node.values[-1])
    else:
        return None
    if name is None or not _NAME.fullmatch(name):
        return None
    return name, default


def _reads_in(tree: ast.Module, path: str) -> Iterator[EnvRead]:
    hosts = set(_hosts_in_urls(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _of_settings_class(node, path)
        read = read_by(node)
        if read is not None:
            line = getattr(node, "lineno", 0)
            is_required = isinstance(node, ast.Subscript)
            is_in_url = read[0] in hosts
            yield EnvRead(*read, f"{path}:{line}", is_required, _has_default(node), is_in_url)


def _hosts_in_urls(tree: ast.Module) -> Iterator[str]:
    """Yield the variables that are the hosts of URLs in f-strings, without a port behind them."""
    assigned: dict[str, ast.AST] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned[node.targets[0].id] = node.value
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        parts = node.values
        for before, part, after in zip(parts, parts[1:], parts[2:], strict=False):
            if not isinstance(part, ast.FormattedValue):
                continue
            is_host = (text_of(before) or "").endswith(("@", "://"))
            value: ast.AST = part.value
            if isinstance(value, ast.Name):
                value = assigned.get(value.id, value)
            if is_host and (text_of(after) or "").startswith("/") and (read := read_by(value)):
                yield read[0]


def _has_default(node: ast.AST) -> bool:
    return not isinstance(node, ast.Call) or argument(node, "default", 1) is not None


def _of_settings_class(node: ast.ClassDef, path: str) -> Iterator[EnvRead]:
    """Yield the fields of pydantic's settings: each is a variable of its name in capitals."""
    bases = [dotted(base).rpartition(".")[2] for base in node.bases]
    if "BaseSettings" not in bases:
        return
    prefix = _prefix_of(node)
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = f"{prefix}{statement.target.id}".upper()
            default = text_of(statement.value)
            is_required = statement.value is None
            yield EnvRead(name, default, f"{path}:{statement.lineno}", is_required)


def _prefix_of(node: ast.ClassDef) -> str:
    for inner in ast.walk(node):
        if isinstance(inner, ast.keyword) and inner.arg == "env_prefix":
            return text_of(inner.value) or ""
        if isinstance(inner, ast.Assign) and dotted(inner.targets[0]) == "env_prefix":
            return text_of(inner.value) or ""
    return ""
