"""Read nginx's configuration: servers, locations, upstreams, certificates.

The text comes from `nginx -T`, or from the files themselves where nginx cannot be asked: it prints
nothing while a name is missing (edge-cases.md#71). Odd input never raises; what is not understood
is left out. Grammar: nginx's core, `ngx_conf_read_token`.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dartsctl.stack.bindings import bracketed

PASSES = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass")
_NESTED = ("location", "if", "limit_except")
"""Blocks that may pass requests on."""
_FILE = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SCHEME = re.compile(r"^(https?|grpcs?|uwsgi|suwsgi)://", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}
_DEEPEST = 20
"""Levels of includes, and of blocks."""
_MOST_TOKENS = 200_000
_MOST_INCLUDES = 1000
"""Files that include each other twice would grow without end."""
_LONGEST_VALUE = 4096
"""Characters of a variable's value: `set $a $a$a` doubles it."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: its words and its block; `block` is None if it ends with a semicolon."""

    words: tuple[str, ...]
    block: tuple[Directive, ...] | None = None

    @property
    def name(self) -> str:
        return self.words[0] if self.words else ""


@dataclass(frozen=True, slots=True)
class Listen:
    """One `listen`: a port inside the container."""

    port: int
    address: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a request. `host` is a name, an address, or `unix:PATH` (port 0)."""

    host: str
    port: int

    def __str__(self) -> str:
        if self.host.startswith("unix:"):
            return self.host
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Server:
    """One `server` block."""

    listens: tuple[Listen, ...]
    names: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
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
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def read(files: Mapping[str, str], main: str = "") -> Config:
    """Return the configuration in `files`, includes resolved. `main`: by default the first file."""
    main = main or next(iter(files), "")
    folder = posixpath.dirname(main)
    left = iter(range(_MOST_INCLUDES))
    tree = _included(parse(files.get(main, "")), files, folder, left)
    http: list[Directive] = []
    for directive in tree:
        if directive.name == "http":
            http += directive.block or ()
    upstreams = {row.words[1]: row for row in _named(http, "upstream")}
    scope = _variables(http, {})
    servers = [
        _server(row, upstreams, scope)
        for row in http
        if row.name == "server" and row.block is not None
    ]
    logs = [row.words[1] for row in _named(_walk(tree), "error_log")]
    return Config(
        servers=tuple(servers),
        error_logs=tuple(dict.fromkeys(logs)),
        resolver=any(row.name == "resolver" for row in _walk(tree)),
        files=tuple(files),
    )


def _named(directives: Iterable[Directive], name: str) -> Iterator[Directive]:
    """Yield the directives of a name that have at least one argument."""
    for directive in directives:
        if directive.name == name and len(directive.words) > 1:
            yield directive


# --- grammar ----------------------------------------------------------------------------------


def parse(text: str) -> tuple[Directive, ...]:
    """Return the directives of one text.

    A superfluous closing brace is skipped; a block without its end ends with the text.
    """
    levels: list[list[Directive]] = [[]]
    heads: list[tuple[str, ...]] = []
    words: list[str] = []
    for number, (kind, piece) in enumerate(_tokens(text)):
        if number > _MOST_TOKENS:
            break
        if kind == "word":
            words.append(piece)
        elif piece == ";":
            levels[-1] += [Directive(tuple(words))] if words else []
            words = []
        elif piece == "{":
            heads.append(tuple(words))
            levels.append([])
            words = []
        elif heads:
            _close(levels, heads)
            words = []
    while heads:
        _close(levels, heads)
    return tuple(levels[0])


def _close(levels: list[list[Directive]], heads: list[tuple[str, ...]]) -> None:
    """End the innermost block. A block that lies too deep loses its content."""
    inner, head = levels.pop(), heads.pop()
    levels[-1].append(Directive(head, tuple(inner) if len(heads) < _DEEPEST else ()))


_TOKEN = re.compile(
    r"""\s+ | \#[^\n]*
    | (?P<quoted>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
    | (?P<mark>[;{}])
    | (?P<word>(?:\\. | \$\{[^}\s]*\} | [^\s;{}\\])+ | \\ )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\([\"'\\ ;{}#])")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield ("word" or "mark", text).

    `#` begins a comment only where a word could begin. A quote without its end is an ordinary
    character.
    """
    for match in _TOKEN.finditer(text):
        if match["quoted"] is not None:
            yield "word", _ESCAPE.sub(r"\1", match["quoted"][1:-1])
        elif match["mark"] is not None:
            yield "mark", match["mark"]
        elif match["word"] is not None:
            yield "word", _ESCAPE.sub(r"\1", match["word"])


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
                    inner = parse(files[path])
                    directives += _included(inner, files, folder, left, depth + 1)
        elif directive.block is not None:
            block = _included(directive.block, files, folder, left, depth + 1)
            directives.append(Directive(directive.words, block))
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


def _server(
    block: Directive, upstreams: Mapping[str, Directive], outer: Mapping[str, str]
) -> Server:
    inner = block.block or ()
    scope = _variables(inner, outer)
    listens = tuple(filter(None, map(_listen, _named(inner, "listen"))))
    names: list[str] = []
    for directive in _named(inner, "server_name"):
        names += directive.words[1:]
    return Server(
        listens=listens or (Listen(80),),
        names=tuple(names),
        certificates=tuple(row.words[1] for row in _named(inner, "ssl_certificate")),
        routes=tuple(_routes(inner, "/", upstreams, scope)),
    )


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
    return Listen(port, "" if host == "*" else host, "ssl" in directive.words[2:])


def _variables(block: Sequence[Directive], outer: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of this level (`set $name value`), over those of the outer levels."""
    scope = dict(outer)
    for directive in block:
        words = directive.words
        if directive.name == "set" and len(words) == 3 and words[1].startswith("$"):
            scope[words[1][1:]] = _filled(words[2], scope)
    return scope


def _filled(text: str, scope: Mapping[str, str]) -> str:
    """Return `text` with its known variables replaced."""
    filled = _VARIABLE.sub(
        lambda match: scope.get(match[1] or match[2], match[0]), text[:_LONGEST_VALUE]
    )
    return filled[:_LONGEST_VALUE]


def _routes(
    block: Sequence[Directive],
    location: str,
    upstreams: Mapping[str, Directive],
    outer: Mapping[str, str],
) -> Iterator[Route]:
    scope = _variables(block, outer)
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
    scope: Mapping[str, str],
) -> Route:
    written = directive.words[1]
    value = _filled(written, scope)
    match = _SCHEME.match(value)
    scheme = match[1].lower() if match else directive.name.partition("_")[0]
    rest = _SCHEME.sub("", value)
    targets: tuple[Target, ...] = ()
    is_dynamic = "$" in written.partition("?")[0]
    if rest.startswith("unix:"):  # http://unix:/run/app.sock:/path
        socket = ":".join(rest.split(":")[:2])
        return Route(location, scheme, (Target(socket, 0),), dynamic=False, written=written)
    place = rest.partition("/")[0].rpartition("@")[2]
    host, _ = _host_and_port(place, 0)
    if host in upstreams:
        targets, is_dynamic = _upstream_targets(upstreams[host])
    elif not place or "$" in place:
        is_dynamic = True
    else:
        targets = (_target(place, _PORTS.get(scheme, 0)),)
    return Route(location, scheme, targets, dynamic=is_dynamic, written=written)


def _upstream_targets(upstream: Directive) -> tuple[tuple[Target, ...], bool]:
    """Return the servers of an `upstream` block, and whether any is looked up again."""
    targets, is_dynamic = [], False
    for server in _named(upstream.block or (), "server"):
        if "down" not in server.words:
            targets.append(_target(server.words[1], 80))
            is_dynamic = is_dynamic or "resolve" in server.words
    return tuple(targets), is_dynamic


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
