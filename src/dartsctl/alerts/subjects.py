"""Subjects as a person types them, and as `watch` lists them."""

from __future__ import annotations

import re
from typing import get_args

from dartsctl.alerts.problem import Kind, Subject
from dartsctl.text.numbers import parse_digits

ALL = "all"
"""The word for everything."""
ALONE = ("engine", "disk", "site", "certificate")
"""Kinds that a word names alone."""


def parse_subject(text: str) -> Subject | None:
    """Return what a person means by `text`; None for a text that means no subject.

    `5000` and `5000/udp` are ports, `engine`, `disk`, `site` and `certificate` are what they are
    called, `kind:name` is that subject, and anything else is a service. A service that is called
    like one of these is written `service:NAME`.
    """
    kind, colon, name = text.partition(":")
    if colon:
        return _of_kind(kind, name)
    if text in ALONE:
        return Subject(_kind(text))
    if re.match(r"[0-9]+(/|\Z)", text):
        return _port(text)
    return Subject("service", text) if text else None


def spelled(subject: Subject | None) -> str:
    """Return how a subject is written: `all`, `darts-app`, `port:5000/tcp`."""
    if subject is None:
        return ALL
    if subject.name != ALL and parse_subject(subject.name) == subject:
        return subject.name
    return str(subject)


def _of_kind(kind: str, name: str) -> Subject | None:
    if kind == "port":
        return _port(name)
    if kind in get_args(Kind) and name:
        return Subject(_kind(kind), name)
    return None


def _port(text: str) -> Subject | None:
    number, slash, protocol = text.partition("/")
    port = parse_digits(number, 65535)
    if not port or (slash and protocol not in ("tcp", "udp")):
        return None
    return Subject("port", f"{port}/{protocol or 'tcp'}")


def _kind(text: str) -> Kind:
    for kind in get_args(Kind):
        if kind == text:
            known: Kind = kind
            return known
    raise ValueError(text)
