"""What nginx's configuration says about its way to other servers: who listens where, which location goes to which upstream, which certificates.

Reads the text of `nginx -T`, or the files themselves where nginx cannot be asked: with a name missing it dumps nothing (edge-cases.md#71). Never raises on
odd input: what cannot be understood is left out. Grammar: nginx's core, `ngx_conf_read_token`.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dartsctl.stack.bindings import bracketed

PASSES = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass")
_FILE = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SCHEME = re.compile(r"^(https?|grpcs?|uwsgi|suwsgi)://", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}
_DEEPEST = 20  # includes within includes, blocks within blocks
_MOST_TOKENS = 200_000
_MOST_INCLUDES = 1000  # files that include each other twice, one after the other, are 2, 4, 8, ...
_LONGEST_VALUE = 4096  # of a variable: `set $a $a$a` doubles it


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: its words, and what stands in its braces; `block` is None where it ends with a semicolon."""

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
    """Where a request is passed on to. `host` is a name, an address, or `unix:PATH` (port 0)."""

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
    """Empty where a variable decides that only a request has."""
    dynamic: bool
    """The name is looked up while it serves, not once at its start."""
    written: str
    """As the file has it: `http://darts-app:5000`."""


@dataclass(frozen=True, slots=True)
class Server:
    """One `server` block."""

    listens: tuple[Listen, ...]
    names: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """All of it that matters here. `error_logs`: `stderr`, or files in the container."""

    servers: tuple[Server, ...] = ()
    error_logs: tuple[str, ...] = ()
    resolver: bool = False
    files: tuple[str, ...] = field(default=())
    """What was read, for evidence."""

    @property
    def routes(self) -> tuple[Route, ...]:
        return tuple(route for server in self.servers for route in server.routes)


def dumped(text: str) -> dict[str, str]:
    """The files in the output of `nginx -T`, by their paths, the main one first. nginx dumps each file once and leaves `include` as it is."""
    parts = _FILE.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def read(files: Mapping[str, str], main: str = "") -> Config:
    """The configuration that begins in `main` (default: the first file), its includes followed as far as `files` has them."""
    main = main or next(iter(files), "")
    tree = _included(
        parse(files.get(main, "")), files, posixpath.dirname(main), iter(range(_MOST_INCLUDES))
    )
    http = tuple(inner for one in tree if one.name == "http" for inner in one.block or ())
    upstreams = {one.words[1]: one for one in http if one.name == "upstream" and len(one.words) > 1}
    resolver = any(one.name == "resolver" for one in _walk(tree))
    scope = _variables(http, {})
    servers = tuple(
        _server(one, upstreams, scope)
        for one in http
        if one.name == "server" and one.block is not None
    )
    logs = dict.fromkeys(
        one.words[1] for one in _walk(tree) if one.name == "error_log" and len(one.words) > 1
    )
    return Config(servers, tuple(logs), resolver, tuple(files))


# --- the grammar --------------------------------------------------------------------------------------------------------------


def parse(text: str) -> tuple[Directive, ...]:
    """The directives of one text. A brace too many is skipped, a block without its end ends with the text."""
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
    """End the innermost block. One that lies too deep loses what is in it: nobody goes down there."""
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
    """("word" | "mark", text). `#` begins a comment only where a word could begin; a quote that never ends is an ordinary character."""
    for found in _TOKEN.finditer(text):
        if found["quoted"] is not None:
            yield "word", _ESCAPE.sub(r"\1", found["quoted"][1:-1])
        elif found["mark"] is not None:
            yield "mark", found["mark"]
        elif found["word"] is not None:
            yield "word", _ESCAPE.sub(r"\1", found["word"])


def _included(
    tree: Sequence[Directive],
    files: Mapping[str, str],
    folder: str,
    left: Iterator[int],
    depth: int = 0,
) -> tuple[Directive, ...]:
    """`tree` with every include replaced by what it names: a path or a pattern, relative to the main file's folder.

    `left` gives one value for each file that may still be included.
    """
    found: list[Directive] = []
    for one in tree:
        if one.name == "include" and len(one.words) > 1 and depth < _DEEPEST:
            pattern = posixpath.normpath(posixpath.join(folder, one.words[1]))
            for path in sorted(
                path for path in files if path == pattern or _matches(path, pattern)
            ):
                if next(left, None) is not None:
                    found += _included(parse(files[path]), files, folder, left, depth + 1)
        elif one.block is not None and depth < _DEEPEST:
            found.append(Directive(one.words, _included(one.block, files, folder, left, depth + 1)))
        else:
            found.append(one)
    return tuple(found)


def _matches(path: str, pattern: str) -> bool:
    """As glob(3): a `*` stays within one folder."""
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def _walk(tree: Sequence[Directive]) -> Iterator[Directive]:
    waiting = deque(tree)
    while waiting:
        one = waiting.popleft()
        yield one
        waiting += one.block or ()


# --- what it means ------------------------------------------------------------------------------------------------------------


def _server(
    block: Directive, upstreams: Mapping[str, Directive], outer: Mapping[str, str]
) -> Server:
    inner = block.block or ()
    scope = _variables(inner, outer)
    return Server(
        listens=tuple(listen for one in inner if one.name == "listen" and (listen := _listen(one)))
        or (Listen(80),),
        names=tuple(name for one in inner if one.name == "server_name" for name in one.words[1:]),
        certificates=tuple(
            one.words[1] for one in inner if one.name == "ssl_certificate" and len(one.words) > 1
        ),
        routes=tuple(_routes(inner, "/", upstreams, scope)),
    )


def _listen(one: Directive) -> Listen | None:
    """`443 ssl`, `127.0.0.1:80`, `[::]:80`, `localhost`; None for a unix socket and for nonsense."""
    if len(one.words) < 2 or one.words[1].startswith("unix:"):
        return None
    host, port = _host_and_port(one.words[1], 80)
    if (number := _port_number(host)) is not None:
        host, port = "", number
    return (
        Listen(port, "" if host == "*" else host, "ssl" in one.words[2:])
        if 0 < port < 65536
        else None
    )


def _variables(block: Sequence[Directive], outer: Mapping[str, str]) -> dict[str, str]:
    """`set $name value` of this level, over what the levels around it set."""
    scope = dict(outer)
    for one in block:
        if one.name == "set" and len(one.words) == 3 and one.words[1].startswith("$"):
            scope[one.words[1][1:]] = _filled(one.words[2], scope)
    return scope


def _filled(text: str, scope: Mapping[str, str]) -> str:
    return _VARIABLE.sub(
        lambda found: scope.get(found[1] or found[2], found[0]), text[:_LONGEST_VALUE]
    )[:_LONGEST_VALUE]


def _routes(
    block: Sequence[Directive],
    location: str,
    upstreams: Mapping[str, Directive],
    outer: Mapping[str, str],
) -> Iterator[Route]:
    scope = _variables(block, outer)
    for one in block:
        if one.name in PASSES and len(one.words) > 1:
            yield _route(one, location, upstreams, scope)
        elif one.block is not None and one.name in ("location", "if", "limit_except"):
            inner = " ".join(one.words[1:]) if one.name == "location" else location
            yield from _routes(one.block, inner, upstreams, scope)


def _route(
    one: Directive, location: str, upstreams: Mapping[str, Directive], scope: Mapping[str, str]
) -> Route:
    written = one.words[1]
    value = _filled(written, scope)
    scheme = match[1].lower() if (match := _SCHEME.match(value)) else one.name.partition("_")[0]
    rest = _SCHEME.sub("", value)
    if rest.startswith("unix:"):  # http://unix:/run/app.sock:/path
        return Route(location, scheme, (Target(":".join(rest.split(":")[:2]), 0),), False, written)
    place = rest.partition("/")[0].rpartition("@")[2]
    host, _ = _host_and_port(place, 0)
    if host in upstreams:
        servers = [
            inner
            for inner in upstreams[host].block or ()
            if inner.name == "server" and len(inner.words) > 1 and "down" not in inner.words
        ]
        targets = tuple(_target(inner.words[1], 80) for inner in servers)
        return Route(
            location, scheme, targets, any("resolve" in inner.words for inner in servers), written
        )
    if not place or "$" in place:
        return Route(location, scheme, (), True, written)
    return Route(
        location,
        scheme,
        (_target(place, _PORTS.get(scheme, 0)),),
        "$" in written.partition("?")[0],
        written,
    )


def _target(text: str, port: int) -> Target:
    if text.startswith("unix:"):
        return Target(text, 0)
    return Target(*_host_and_port(text, port))


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    """`name`, `name:80`, `[::1]:80`; a port that is no number reads as `port`."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        number = rest.removeprefix(":")
    else:
        host, _, number = text.partition(":")
    named = _port_number(number)
    return host, port if named is None else named


def _port_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else None
