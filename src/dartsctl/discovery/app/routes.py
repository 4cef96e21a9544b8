"""The URL paths that an app answers by GET without a login, as far as its files show them."""

from __future__ import annotations

import ast
import re

from dartsctl.discovery.app.sources import Function, Sources, argument, dotted, text_of
from dartsctl.records import field, record
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_OWNERS = ("Flask", "FastAPI", "Blueprint", "APIRouter", "Starlette", "Quart", "APIBlueprint")
_REGISTER = ("register_blueprint", "include_router", "register_api")
_LOGIN = regex(r"(?i)login|auth|jwt|token|permission|role|session|user|admin|protect|verify")
_MOST_LINKS = 6

_HEALTH_PATHS = (
    *("/health", "/healthz", "/health/", "/healthz/", "/api/health", "/api/v1/health"),
    *("/health/live", "/health/liveness", "/livez", "/live", "/liveness", "/_health"),
    *("/-/healthy", "/healthcheck", "/health-check", "/health_check", "/api/healthz"),
    *("/ping", "/api/ping", "/alive", "/heartbeat", "/up", "/status", "/api/status"),
)
"""Paths that usually say that an app works, the most telling one first. None that waits for the
app's services, such as /ready: these need not run."""


@record
class Route:
    """A path, and where it is defined: `app.py:12`."""

    path: str
    where: str


@record(frozen=False)
class _Owner:
    """An app or blueprint: its own prefix, and where it is mounted."""

    key: tuple[str, str]
    is_app: bool
    prefix: str = ""
    mounts: list[tuple[tuple[str, str], str | None]] = field(default_factory=list)
    """The owner that it is registered on, and a prefix that replaces or precedes its own."""
    is_protected: bool = False
    adds: bool = False
    """Whether a mount's prefix precedes its own one (FastAPI) or replaces it (Flask)."""


def health_route(sources: Sources, paths: Iterable[str]) -> Route | None:
    """Return the route that says whether the app works; None where the files show none."""
    routes: dict[str, Route] = {}
    for route in _open_routes(sources, tuple(paths)):
        routes.setdefault(route.path, route)
    for path in _HEALTH_PATHS:
        if path in routes:
            return routes[path]
    return None


def _open_routes(sources: Sources, paths: tuple[str, ...]) -> Iterator[Route]:
    """Yield the routes of these files whose whole path is known, and that show no login."""
    owners: dict[tuple[str, str], _Owner] = {}
    for path in paths:
        owners |= _owners(sources, path)
    for path in paths:
        _note_mounts(sources, path, owners)
    for path in paths:
        for node in sources.nodes(path):
            if isinstance(node, Function):
                yield from _routes_of(sources, path, node, owners)


def _owners(sources: Sources, path: str) -> dict[tuple[str, str], _Owner]:
    """Return the apps and blueprints that a file makes, by file and name."""
    owners: dict[tuple[str, str], _Owner] = {}
    for node in sources.nodes(path):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        kind = dotted(node.value.func).rpartition(".")[2]
        name = dotted(node.targets[0])
        if kind not in _OWNERS or not name:
            continue
        is_app = kind in ("Flask", "FastAPI", "Starlette", "Quart")
        given = argument(node.value, "prefix") or argument(node.value, "url_prefix")
        owner = _Owner((path, name), is_app, text_of(given) or "", adds=kind == "APIRouter")
        if argument(node.value, "dependencies") is not None or (given and not text_of(given)):
            owner.is_protected = True
        owners[path, name] = owner
    return owners


def _note_mounts(sources: Sources, path: str, owners: Mapping[tuple[str, str], _Owner]) -> None:
    """Note which blueprint is registered where, and which have a check before each request."""
    for node in sources.nodes(path):
        if isinstance(node, Function):
            for decorator in node.decorator_list:
                owner = _owner_at(sources, path, dotted(decorator).rpartition(".")[0], owners)
                is_check = dotted(decorator).endswith("before_request")
                if owner is not None and is_check and _asks_for_login(node):
                    owner.is_protected = True
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in _REGISTER or not node.args:
            continue
        child = _owner_at(sources, path, dotted(node.args[0]), owners)
        parent = _owner_at(sources, path, dotted(node.func.value), owners)
        if child is None or parent is None:
            continue
        given = argument(node, "url_prefix") or argument(node, "prefix")
        if argument(node, "dependencies") is not None:
            child.is_protected = True
        prefix = text_of(given)
        if given is not None and prefix is None:
            child.is_protected = True  # its path is not known
        child.mounts.append((parent.key, prefix))


def _owner_at(
    sources: Sources, path: str, name: str, owners: Mapping[tuple[str, str], _Owner]
) -> _Owner | None:
    """Return the app or blueprint that a name of a file means, also an imported one."""
    if not name:
        return None
    for _ in range(_MOST_LINKS):
        if (path, name) in owners:
            return owners[path, name]
        first, _, rest = name.partition(".")
        imported = sources.imports(path).get(first)
        if imported is None:
            return None
        if imported.name and not rest:
            path, name = imported.path, imported.name
            continue
        module = f"{imported.module}.{imported.name}".rstrip(".")
        path, name = sources.module_file(module, beside=path), rest
    return None


def _routes_of(
    sources: Sources, path: str, node: Function, owners: Mapping[tuple[str, str], _Owner]
) -> Iterator[Route]:
    """Yield the routes that the decorators of a function define."""
    if _asks_for_login(node):
        return
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
            continue
        if decorator.func.attr not in ("route", "get", "api_route") or not _is_get(decorator):
            continue
        own = text_of(argument(decorator, "path", 0) or argument(decorator, "rule"))
        owner = _owner_at(sources, path, dotted(decorator.func.value), owners)
        if own is None and owner is not None and decorator.args == []:
            continue
        for prefix in _prefixes(owner, owners):
            full = f"{prefix}{own or ''}"
            if re.fullmatch(r"/[\w./~-]*", full):
                yield Route(full, f"{path}:{node.lineno}")


def _prefixes(
    owner: _Owner | None, owners: Mapping[tuple[str, str], _Owner], depth: int = _MOST_LINKS
) -> list[str]:
    """Return the paths below which an app or blueprint is mounted; none where that is unknown."""
    if owner is None or owner.is_protected or depth == 0:
        return []
    if owner.is_app:
        return [""]
    prefixes: list[str] = []
    for parent_key, given in owner.mounts:
        parent = owners.get(parent_key)
        own = owner.prefix
        if given is not None and owner.adds:
            own = f"{given}{own}"
        elif given is not None:
            own = given
        above = [""]
        if parent is not None:
            above = _prefixes(parent, owners, depth - 1)
        prefixes += [f"{outer}{own}" for outer in above]
    return prefixes


def _is_get(decorator: ast.Call) -> bool:
    methods = argument(decorator, "methods")
    if methods is None:
        return True
    if not isinstance(methods, ast.List | ast.Tuple | ast.Set):
        return False
    return "GET" in [str(text_of(method)).upper() for method in methods.elts]


def _asks_for_login(node: Function) -> bool:
    """Return whether a decorator, or a dependency of an argument, is about logins."""
    names: list[str] = []
    for decorator in node.decorator_list:
        called = getattr(decorator, "func", decorator)
        name = dotted(called).rpartition(".")[2]
        if name not in ("route", "get", "api_route"):
            names.append(name)
        elif isinstance(decorator, ast.Call) and argument(decorator, "dependencies") is not None:
            return True
    arguments = node.args
    defaults = [*arguments.defaults, *filter(None, arguments.kw_defaults)]
    for default in defaults:
        for inner in ast.walk(default):
            if isinstance(inner, ast.Call):
                names += [dotted(inner.func), *map(dotted, inner.args)]
    names += [argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)]
    return any(_LOGIN.search(name) for name in names)
