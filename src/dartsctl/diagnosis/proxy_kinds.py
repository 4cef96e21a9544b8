"""Recognise a proxy's program by a service's image, by what its container runs, or by its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dartsctl.records import record
from dartsctl.stack.model import image_name
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dartsctl.diagnosis.facts import ProxyKind

_IMAGES: dict[str, ProxyKind] = {
    "nginx": "nginx",
    "nginx-unprivileged": "nginx",
    "nginx-proxy": "nginx",
    "nginx-proxy-manager": "nginx",
    "nginx-ingress": "nginx",
    "nginx-plus": "nginx",
    "docker-nginx-auto-ssl": "nginx",
    "https-portal": "nginx",
    "openresty": "nginx",
    "tengine": "nginx",
    "angie": "nginx",
    "freenginx": "nginx",
    "swag": "nginx",
    "kong": "nginx",
    "haproxy": "haproxy",
    "traefik": "traefik",
    "caddy": "caddy",
    "caddy-docker-proxy": "caddy",
    "envoy": "envoy",
    "httpd": "httpd",
    "apache": "httpd",
    "apache2": "httpd",
}
"""The last part of an image's name that says which proxy it is."""
_PARTS: tuple[tuple[str, ProxyKind], ...] = (
    (r"nginx|openresty|tengine|angie|swag", "nginx"),
    (r"haproxy", "haproxy"),
    (r"traefik", "traefik"),
    (r"caddy", "caddy"),
    (r"envoy", "envoy"),
    (r"httpd|apache2?(?=$|-proxy)", "httpd"),
)
_PROGRAMS: dict[str, ProxyKind] = {
    "nginx": "nginx",
    "nginx-debug": "nginx",
    "openresty": "nginx",
    "angie": "nginx",
    "haproxy": "haproxy",
    "traefik": "traefik",
    "caddy": "caddy",
    "envoy": "envoy",
    "httpd-foreground": "httpd",
    "apachectl": "httpd",
    "apache2ctl": "httpd",
}
_COMPANIONS = regex(
    r"exporter|prometheus|certbot|config|test-client|companion|docker-gen|dumper|forward-auth"
    r"|bouncer|logrotate|goaccess|amplify|whoami"
)
"""Images that stand beside a proxy and are none."""
_APPS = regex(r"(?:^|[-_.])(?:php|uwsgi|fpm|flask|django|fastapi|rails|node|wordpress|unit)\d*")
"""Names of images that have a proxy's program inside, for their own app."""
_OTHER_PROGRAMS = regex(
    r"sleep|tail|cat|true|false|certbot|busybox|python[\d.]*|node|gunicorn|uvicorn|flask|java|ruby"
    r"|php(?:-fpm)?[\d.]*"
)
_WRAPPERS = regex(
    r"tini|dumb-init|init|env|exec|gosu|su-exec|nice|do|then|while|if|else|until|!|.*entrypoint.*"
    r"|.*\.sh|[A-Za-z_]\w*=.*"
)
"""Words before the program that a command line really starts."""
_SHELLS = ("sh", "bash", "ash", "dash")
_DEEPEST = 5
"""Shells within shells."""


@record
class KindEvidence:
    """Which proxy a service seems to be, and how much that is worth."""

    kind: ProxyKind
    weight: int


IMAGE, PROGRAM, PART, APP_IMAGE, NAME = 40, 35, 25, 10, 15


def recognise(
    name: str, image: str, command: Sequence[str], *, is_built: bool
) -> KindEvidence | None:
    """Return which proxy a service seems to be, None for no proxy.

    `command`: entry point and command, empty if there is no container. The service's name counts
    only where its image was built for it and its program is unknown.
    """
    base = image_name(image)
    if not is_built and _COMPANIONS.search(base):
        return None
    started = list(programs(command))
    if evidence := _by_program(started):
        return evidence
    if any(_OTHER_PROGRAMS.fullmatch(words[0]) for words in started):
        return None
    if is_built:
        return _by_part(name.lower(), NAME)
    if base in _IMAGES:
        return KindEvidence(_IMAGES[base], IMAGE)
    return _by_part(base, APP_IMAGE if _APPS.search(base) else PART)


def serves_files_only(command: Sequence[str]) -> bool:
    """Whether a command line says that the program passes nothing on: `caddy file-server`."""
    return any(words[:2] == ("caddy", "file-server") for words in programs(command))


def programs(command: Sequence[str], depth: int = 0) -> Iterator[tuple[str, ...]]:
    """Yield the programs that a command line starts, each with its arguments.

    Wrappers are skipped, a shell's text is read roughly. An option, a script without arguments
    or a variable is no program.
    """
    words = list(command)
    while words and _WRAPPERS.fullmatch(_file_name(words[0])):
        words = _after_wrapper(words)
    if not words or words[0].startswith(("-", "$")):
        return
    program = _file_name(words[0])
    if program == "busybox" and _file_name("".join(words[1:2])) in _SHELLS:
        words = words[1:]
        program = _file_name(words[0])
    if program not in _SHELLS:
        yield (program, *words[1:])
        return
    texts = words[2:3] if re.fullmatch(r"-\w*c", "".join(words[1:2])) else []
    for text in texts if depth < _DEEPEST else ():
        for part in re.split(r"[;&|\n(){}]+", text):
            yield from programs(part.replace('"', " ").replace("'", " ").split(), depth + 1)


def _after_wrapper(words: list[str]) -> list[str]:
    """Return the words that a wrapper starts: what follows `--`, or a user name, or itself."""
    if "--" in words:
        return words[words.index("--") + 1 :]
    return words[2 if _file_name(words[0]) in ("gosu", "su-exec") else 1 :]


def _by_program(started: Sequence[tuple[str, ...]]) -> KindEvidence | None:
    for words in started:
        kind = _PROGRAMS.get(words[0])
        if words[0] in ("httpd", "apache2") and "FOREGROUND" in "".join(words):
            kind = "httpd"  # busybox has an httpd too: a small server for files
        if kind:
            return KindEvidence(kind, PROGRAM)
    return None


def _by_part(text: str, weight: int) -> KindEvidence | None:
    if _COMPANIONS.search(text):
        return None
    for pattern, kind in _PARTS:
        if re.search(rf"(?:^|[-_. ])(?:{pattern})(?:$|[-_. ])", text):
            return KindEvidence(kind, weight)
    return None


def _file_name(word: str) -> str:
    return word.rpartition("/")[2]
