"""How a Python file starts a server when it is run, and where that server's port comes from."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from dartsctl.discovery.app.env_reads import read_by
from dartsctl.discovery.app.sources import (
    Function,
    Sources,
    argument,
    dotted,
    outer_nodes,
    text_of,
    value_in,
)
from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PortKind = Literal["default", "literal", "variable", "argument", "unknown"]

_CONSTRUCTORS = {
    "Flask": "Flask",
    "SocketIO": "Flask-SocketIO",
    "FastAPI": "FastAPI",
    "Starlette": "Starlette",
    "Litestar": "Litestar",
    "Quart": "Quart",
    "Dash": "Dash",
    "Sanic": "Sanic",
    "FlaskGroup": "FlaskGroup",
    "Manager": "Flask-Script",
}
ASGI = frozenset({"FastAPI", "Starlette", "Litestar", "Quart"})
"""Frameworks whose apps uvicorn serves."""
_SERVERS = {
    "uvicorn.run": ("uvicorn", None),
    "waitress.serve": ("waitress", None),
    "hypercorn.run": ("hypercorn", None),
    "aiohttp.web.run_app": ("aiohttp", None),
    "bottle.run": ("Bottle", None),
    "werkzeug.serving.run_simple": ("werkzeug", 1),
    "wsgiref.simple_server.make_server": ("wsgiref", 1),
    "gevent.pywsgi.WSGIServer": ("gevent", 0),
    "gevent.wsgi.WSGIServer": ("gevent", 0),
    "cheroot.wsgi.Server": ("cheroot", 0),
    "http.server.HTTPServer": ("http.server", 0),
    "http.server.ThreadingHTTPServer": ("http.server", 0),
    "eventlet.listen": ("eventlet", 0),
    "django.core.management.execute_from_command_line": ("Django", None),
}
"""Functions that serve, and at which position their port (or address) stands."""
_PORT_POSITIONS = {"Flask": 1, "Flask-SocketIO": 2}
_RUN = ("run", "run_server")
_MOST_STEPS = 200


@record
class Port:
    """Where the port of a server comes from. `names` are variables, or the option `--port`."""

    kind: PortKind
    names: tuple[str, ...] = ()
    number: str = ""


@record
class ServerCall:
    """The call that serves. `target`: the app as `module:name`, empty where it is not clear."""

    program: str
    where: str
    port: Port
    target: str = ""
    reloads: bool = False


@record
class _Place:
    """Where an expression stands: its file, and the statements whose names it sees first."""

    sources: Sources
    path: str
    statements: list[ast.stmt]

    def value(self, name: str) -> tuple[_Place, ast.AST] | None:
        """Return the value of `port`, `config.PORT` or `Config.PORT`, and its place."""
        local = value_in(self.statements, name)
        if local is not None:
            return self, local
        known = _definition(self.sources, self.path, name)
        value: ast.AST | None = None
        if known is not None:
            value = getattr(known[1], "value", None)
        else:
            base, _, last = name.rpartition(".")
            known = _definition(self.sources, self.path, base)
            if known is not None and isinstance(known[1], ast.ClassDef):
                value = value_in(known[1].body, last)
        if known is None or value is None:
            return None
        return _Place(self.sources, known[0], []), value


def server_call(sources: Sources, path: str) -> ServerCall | None:
    """Return the first call that serves when the file is run as a script; None without one."""
    seen: set[int] = set()
    waiting: list[tuple[str, list[ast.stmt]]] = []
    tree = sources.tree(path)
    if tree is not None:
        waiting.append((path, tree.body))
    for _ in range(_MOST_STEPS):
        if not waiting:
            return None
        file, statements = waiting.pop(0)
        for call in _calls(statements):
            if server := _server(_Place(sources, file, statements), call):
                return server
            function = _called(sources, file, call)
            if function is not None and id(function[1]) not in seen:
                seen.add(id(function[1]))
                waiting.append((function[0], function[1].body))
    return None


def kind_of(sources: Sources, path: str, value: ast.AST | None, depth: int = 6) -> str:
    """Return the framework of an expression: `Flask` for `Flask()`, `app`, `create_app()`."""
    if depth == 0 or value is None:
        return ""
    if isinstance(value, ast.Call):
        constructor = dotted(value.func).rpartition(".")[2]
        if constructor in _CONSTRUCTORS:
            return _CONSTRUCTORS[constructor]
        if constructor in ("get_wsgi_application", "get_asgi_application"):
            return "Django"
        value = value.func
    definition = _definition(sources, path, dotted(value))
    if definition is None:
        return ""
    file, node = definition
    if isinstance(node, Function):
        return _kind_of_factory(sources, file, node, depth)
    return kind_of(sources, file, getattr(node, "value", None), depth - 1)


def _kind_of_factory(sources: Sources, path: str, node: Function, depth: int) -> str:
    """Return the framework of the app that a function makes: what it returns, else constructs."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            constructor = dotted(inner.func).rpartition(".")[2]
            kind = _CONSTRUCTORS.get(constructor, "")
            if kind in ASGI or kind == "Flask":
                return kind
    for inner in ast.walk(node):
        if isinstance(inner, ast.Return) and isinstance(inner.value, ast.Call):
            return kind_of(sources, path, inner.value, depth - 1)
    return ""


def _definition(sources: Sources, path: str, name: str) -> tuple[str, ast.AST] | None:
    """Return what defines `app` or `module.app`."""
    base, _, last = name.rpartition(".")
    if not base:
        return sources.definition(path, name)
    imported = sources.imports(path).get(base)
    if imported is None:
        return None
    file = imported.path
    if imported.name:
        file = sources.module_file(f"{imported.module}.{imported.name}", beside=path)
    return sources.definition(file, last)


def _calls(statements: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls that run, without those inside functions and classes defined there."""
    for node in outer_nodes(statements):
        if isinstance(node, ast.Call):
            yield node


def _called(sources: Sources, path: str, call: ast.Call) -> tuple[str, Function] | None:
    """Return the function of the app that is called, and its file."""
    name = dotted(call.func)
    if name in ("asyncio.run", "anyio.run") and call.args and isinstance(call.args[0], ast.Call):
        name = dotted(call.args[0].func)
    definition = _definition(sources, path, name)
    if definition is not None and isinstance(definition[1], Function):
        return definition[0], definition[1]
    return None


def _server(place: _Place, call: ast.Call) -> ServerCall | None:
    full = _full_name(place.sources, place.path, dotted(call.func))
    if full in _SERVERS:
        return _by_function(place, call, *_SERVERS[full])
    app: ast.expr | None = call.func
    if isinstance(call.func, ast.Attribute) and call.func.attr in _RUN:
        app = call.func.value
    kind = kind_of(place.sources, place.path, app)
    where = f"{place.path}:{call.lineno}"
    if kind == "FlaskGroup" or (kind == "Flask-Script" and app is not call.func):
        return ServerCall(kind, where, Port("argument"))
    if not kind or app is call.func:
        return None
    port = _port_of(place, _port_argument(call, _PORT_POSITIONS.get(kind)))
    if kind == "Flask-SocketIO":
        app = argument(call, "app", 0)
    return ServerCall(kind, where, port, _target(place.sources, place.path, app))


def _by_function(place: _Place, call: ast.Call, program: str, position: int | None) -> ServerCall:
    """Return the server of a function that serves, such as `uvicorn.run`."""
    where = f"{place.path}:{call.lineno}"
    if program == "Django":
        return ServerCall(program, where, Port("argument"))
    port = _port_of(place, _port_argument(call, position))
    target = _target(place.sources, place.path, argument(call, "app", 0))
    return ServerCall(program, where, port, target, _is_true(argument(call, "reload")))


def _full_name(sources: Sources, path: str, name: str) -> str:
    """Return a dotted name as it is where it comes from: `serve` -> `waitress.serve`."""
    first, _, rest = name.partition(".")
    imported = sources.imports(path).get(first)
    if imported is None:
        return name
    module = imported.module
    if not imported.name and module.partition(".")[0] == first:
        module = first  # `import a.b` binds a
    return ".".join(filter(None, (module, imported.name, rest)))


def _port_argument(call: ast.Call, position: int | None) -> ast.expr | None:
    value = argument(call, "port", position)
    if isinstance(value, ast.Tuple) and len(value.elts) > 1:
        return value.elts[1]
    return value


def _port_of(place: _Place, value: ast.expr | None) -> Port:
    if value is None:
        return Port("default")
    if number := text_of(value):
        return Port("literal", number=number)
    names: dict[str, str] = {}
    options: list[str] = []
    _follow_port(place, value, names, options, depth=4)
    if names:
        default = next(filter(None, names.values()), "")
        return Port("variable", tuple(names), default)
    if options:
        return Port("argument", tuple(options))
    known = place.value(dotted(value))
    if known is not None and (number := text_of(known[1])):
        return Port("literal", number=number)
    return Port("unknown")


def _follow_port(
    place: _Place, value: ast.AST, names: dict[str, str], options: list[str], *, depth: int
) -> None:
    """Collect the variables, and the options of the command line, that an expression uses."""
    for node in ast.walk(value):
        if read := read_by(node):
            names.setdefault(read[0], read[1] or "")
        name = dotted(node)
        if not name or depth == 0:
            continue
        option = _option(place.sources, place.path, name.rpartition(".")[2])
        if option and option not in options:
            options.append(option)
        known = place.value(name)
        if known is not None and known[1] is not value:
            _follow_port(known[0], known[1], names, options, depth=depth - 1)


def _option(sources: Sources, path: str, name: str) -> str:
    """Return the option of the command line whose value has that name, such as `--port`."""
    tree = sources.tree(path)
    if tree is None or not name:
        return ""
    wanted = f"--{name.replace('_', '-')}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func).endswith(("add_argument", "option")):
            for word in node.args:
                if text_of(word) == wanted:
                    return wanted
    return ""


def _target(sources: Sources, path: str, app: ast.AST | None) -> str:
    """Return `module:name` of the app that a call serves; factories keep their parentheses."""
    text = text_of(app) or ""
    if ":" in text:
        return text
    call = ""
    if isinstance(app, ast.Call) and not (app.args or app.keywords):
        app, call = app.func, "()"
    name = dotted(app)
    tree = sources.tree(path)
    if tree is None or not name.isidentifier():
        return ""
    if call or value_in(tree.body, name) is not None:
        return f"{module_name(path)}:{name}{call}"
    imported = sources.imports(path).get(name)
    if imported is None or not imported.name:
        return ""
    return f"{imported.module}:{imported.name}"


def module_name(path: str) -> str:
    """Return the module of a file: `shop.web` for `shop/web.py`, `shop` for its `__init__.py`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _is_true(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
