"""Read nginx's configuration: servers, locations, upstreams, certificates.

The text comes from `nginx -T`, or from the files themselves where nginx cannot be asked: it prints
nothing while a name is missing (edge-cases.md#71). What is not understood is left out.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections import deque

from dartsctl.diagnosis.nginx.grammar import Directive, parse
from dartsctl.diagnosis.nginx.limits import Limit, LimitScope, limit_scope
from dartsctl.records import field, record, replace
from dartsctl.stack.bindings import bracketed
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PASSES = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass")
_NESTED = ("location", "if", "limit_except")
"""Blocks that may pass requests on."""
_FILE = regex(r"(?m)^# configuration file (.+):$")
_VARIABLE = regex(r"\$(?:\{(\w+)\}|(\w+))")
_SCHEME = regex(r"(?i)^(https?|grpcs?|uwsgi|suwsgi)://")
_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}
_DEEPEST = 20
"""Levels of includes."""
_MOST_INCLUDES = 1000
"""Files that include each other twice would grow without end."""
_LONGEST_VALUE = 4096
"""Characters of a variable's value: `set $a $a$a` doubles it."""


@record
class Listen:
    """One `listen`: a port inside the container."""

    port: int
    address: str = ""
    tls: bool = False
    proxy_protocol: bool = False
    """Every connection must begin with a line of the PROXY protocol."""
    is_default: bool = field(default=False, compare=False)
    """Its server gets the requests for names that no server has."""


@record
class Target:
    """The target of a request. `host` is a name, an address, or `unix:PATH` (port 0)."""

    host: str
    port: int

    def __str__(self) -> str:
        if self.host.startswith("unix:"):
            return self.host
        return f"{bracketed(self.host)}:{self.port}"


@record
class Route:
    """One location that passes requests on."""

    location: str
    scheme: str
    targets: tuple[Target, ...]
    """Empty if it depends on a variable of the request."""
    dynamic: bool
    """The name is looked up for each request, not once at the start of nginx."""
    written: str
    """As in the file: `http://darts-app:5000`."""
    place: str = field(default="", compare=False)
    """File and line of the directive: `/etc/nginx/conf.d/default.conf:4`."""
    group: str = ""
    """The name of its `upstream` block."""
    server_places: tuple[str, ...] = field(default=(), compare=False)
    """File and line of each target, if they are in an `upstream` block."""
    resolvers: tuple[str, ...] = ()
    """The name servers that apply here, without ports."""
    limits: tuple[Limit, ...] = ()


@record
class Server:
    """One `server` block."""

    listens: tuple[Listen, ...]
    names: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    limits: tuple[Limit, ...] = ()
    """Of the server itself; a location may have others."""
    drops: bool = False
    """It closes requests for `/` without an answer on purpose: `return 444`."""


@record
class Config:
    """The parts of a configuration that matter here."""

    servers: tuple[Server, ...] = ()
    error_logs: tuple[str, ...] = ()
    """`stderr`, or files in the container."""
    resolver: bool = False
    files: tuple[str, ...] = field(default=())
    """The files that were read."""

    @property
    def listens(self) -> tuple[Listen, ...]:
        return tuple(listen for server in self.servers for listen in server.listens)

    @property
    def routes(self) -> tuple[Route, ...]:
        return tuple(route for server in self.servers for route in server.routes)


def dumped(text: str) -> dict[str, str]:
    """Return the files in the output of `nginx -T` by their paths, the main one first.

    nginx prints each file once and leaves `include` as it is.
    """
    parts = _FILE.split(text)
    texts = (part.removeprefix("\n") for part in parts[2::2])
    return dict(zip(parts[1::2], texts, strict=True))


def directives(files: Mapping[str, str], main: str = "") -> tuple[Directive, ...]:
    """Return the directives of the main file, by default the first one, with all its includes."""
    main = main or next(iter(files), "")
    left = iter(range(_MOST_INCLUDES))
    return _included(parse(files.get(main, ""), main), files, posixpath.dirname(main), left)


def read(files: Mapping[str, str], main: str = "") -> Config:
    """Return the configuration in `files`, includes resolved. `main`: by default the first file."""
    tree = directives(files, main)
    http: list[Directive] = []
    for directive in tree:
        if directive.name == "http":
            http += directive.block or ()
    upstreams = {row.words[1]: row for row in _named(http, "upstream")}
    logs = list(_named(_walk(tree), "error_log"))
    scope = _scope(http, _Scope(limits=limit_scope(http, logs)))
    servers = [
        _server(row, upstreams, scope)
        for row in http
        if row.name == "server" and row.block is not None
    ]
    return Config(
        servers=tuple(servers),
        error_logs=tuple(dict.fromkeys(row.words[1] for row in logs)),
        resolver=any(row.name == "resolver" for row in _walk(tree)),
        files=tuple(files),
    )


def _named(directives: Iterable[Directive], name: str) -> Iterator[Directive]:
    """Yield the directives of a name that have at least one argument."""
    for directive in directives:
        if directive.name == name and len(directive.words) > 1:
            yield directive


# --- includes ---------------------------------------------------------------------------------


def _included(
    tree: Sequence[Directive],
    files: Mapping[str, str],
    folder: str,
    left: Iterator[int],
    depth: int = 0,
) -> tuple[Directive, ...]:
    """Return `tree` with every include replaced by the files that it names.

    The path or pattern is relative to the main file's folder. `left` gives one value for each
    file that may still be included.
    """
    if depth >= _DEEPEST:
        return tuple(tree)
    directives: list[Directive] = []
    for directive in tree:
        if directive.name == "include" and len(directive.words) > 1:
            pattern = posixpath.normpath(posixpath.join(folder, directive.words[1]))
            for path in _matching(files, pattern):
                if next(left, None) is not None:
                    inner = parse(files[path], path)
                    directives += _included(inner, files, folder, left, depth + 1)
        elif directive.block is not None:
            block = _included(directive.block, files, folder, left, depth + 1)
            directives.append(replace(directive, block=block))
        else:
            directives.append(directive)
    return tuple(directives)


def _matching(paths: Iterable[str], pattern: str) -> list[str]:
    """Return the paths that a pattern names, as glob(3): `*` stays within one folder."""
    depth = pattern.count("/")
    return sorted(
        path
        for path in paths
        if path == pattern or (path.count("/") == depth and fnmatch.fnmatchcase(path, pattern))
    )


def _walk(tree: Sequence[Directive]) -> Iterator[Directive]:
    """Yield every directive, outer blocks first."""
    waiting = deque(tree)
    while waiting:
        directive = waiting.popleft()
        yield directive
        waiting += directive.block or ()


# --- meaning ----------------------------------------------------------------------------------


def _server(block: Directive, upstreams: Mapping[str, Directive], outer: _Scope) -> Server:
    inner = block.block or ()
    scope = _scope(inner, outer)
    listens = tuple(filter(None, map(_listen, _named(inner, "listen"))))
    names: list[str] = []
    for directive in _named(inner, "server_name"):
        names += directive.words[1:]
    return Server(
        listens=listens or (Listen(80),),
        names=tuple(names),
        certificates=tuple(row.words[1] for row in _named(inner, "ssl_certificate")),
        routes=tuple(_routes(inner, "/", upstreams, scope)),
        limits=scope.limits.limits,
        drops=_drops(inner),
    )


def _drops(server: Sequence[Directive]) -> bool:
    """Whether a server refuses requests for `/` without an answer."""
    for directive in server:
        words = " ".join(directive.words)
        if words in ("return 444", "ssl_reject_handshake on"):
            return True
        is_root = directive.name == "location" and directive.words[-1] == "/"
        if is_root and any(row.words == ("return", "444") for row in directive.block or ()):
            return True
    return False


def _listen(directive: Directive) -> Listen | None:
    """Read `443 ssl`, `127.0.0.1:80`, `[::]:80`, `localhost`; None for a unix socket."""
    if directive.words[1].startswith("unix:"):
        return None
    host, port = _host_and_port(directive.words[1], 80)
    number = _port_number(host)
    if number is not None:
        host, port = "", number
    if not 0 < port < 65536:
        return None
    options = directive.words[2:]
    return Listen(
        port,
        "" if host == "*" else host,
        tls="ssl" in options,
        proxy_protocol="proxy_protocol" in options,
        is_default="default_server" in options or "default" in options,
    )


@record
class _Scope:
    """What a block has from its own level and from the outer ones."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Of `set $name value`."""
    resolvers: tuple[str, ...] = ()
    """The innermost `resolver` replaces the others."""
    limits: LimitScope = field(default_factory=LimitScope)


def _scope(block: Sequence[Directive], outer: _Scope) -> _Scope:
    """Return the scope of a block."""
    variables, resolvers = dict(outer.variables), outer.resolvers
    for directive in block:
        words = directive.words
        if directive.name == "set" and len(words) == 3 and words[1].startswith("$"):
            variables[words[1][1:]] = _filled(words[2], variables)
        elif directive.name == "resolver":
            servers = (word for word in words[1:] if "=" not in word)
            resolvers = tuple(_host_and_port(server, 53)[0] for server in servers)
    return _Scope(variables, resolvers, outer.limits.inner(block))


def _filled(text: str, variables: Mapping[str, str]) -> str:
    """Return `text` with its known variables replaced."""
    filled = _VARIABLE.sub(
        lambda match: variables.get(match[1] or match[2], match[0]), text[:_LONGEST_VALUE]
    )
    return filled[:_LONGEST_VALUE]


def _routes(
    block: Sequence[Directive],
    location: str,
    upstreams: Mapping[str, Directive],
    outer: _Scope,
) -> Iterator[Route]:
    scope = _scope(block, outer)
    for directive in block:
        if directive.name in PASSES and len(directive.words) > 1:
            yield _route(directive, location, upstreams, scope)
        elif directive.block is not None and directive.name in _NESTED:
            inner = location
            if directive.name == "location":
                inner = " ".join(directive.words[1:])
            yield from _routes(directive.block, inner, upstreams, scope)


def _route(
    directive: Directive,
    location: str,
    upstreams: Mapping[str, Directive],
    scope: _Scope,
) -> Route:
    written = directive.words[1]
    value = _filled(written, scope.variables)
    match = _SCHEME.match(value)
    scheme = match[1].lower() if match else directive.name.partition("_")[0]
    rest = _SCHEME.sub("", value)
    route = Route(
        location,
        scheme,
        targets=(),
        dynamic="$" in written.partition("?")[0],
        written=written,
        place=directive.place,
        resolvers=scope.resolvers,
        limits=scope.limits.limits,
    )
    if rest.startswith("unix:"):  # http://unix:/run/app.sock:/path
        socket = ":".join(rest.split(":")[:2])
        return replace(route, targets=(Target(socket, 0),), dynamic=False)
    authority = rest.partition("/")[0].rpartition("@")[2]
    host, _ = _host_and_port(authority, 0)
    if host in upstreams:
        servers = _live_servers(upstreams[host])
        return replace(
            route,
            targets=tuple(_target(server.words[1], 80) for server in servers),
            dynamic=any("resolve" in server.words for server in servers),
            group=host,
            server_places=tuple(server.place for server in servers),
        )
    if not authority or "$" in authority:
        return replace(route, dynamic=True)
    return replace(route, targets=(_target(authority, _PORTS.get(scheme, 0)),))


def _live_servers(upstream: Directive) -> list[Directive]:
    """Return the servers of an `upstream` block that are in use."""
    servers = _named(upstream.block or (), "server")
    return [server for server in servers if "down" not in server.words]


def _target(text: str, port: int) -> Target:
    if text.startswith("unix:"):
        return Target(text, 0)
    return Target(*_host_and_port(text, port))


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    """Read `name`, `name:80`, `[::1]:80`; `port` is the default."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        number = rest.removeprefix(":")
    else:
        host, _, number = text.partition(":")
    named = _port_number(number)
    return host, port if named is None else named


def _port_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else None
