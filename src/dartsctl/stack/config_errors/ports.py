"""Errors about `ports`. Compose says neither the service nor the entry."""

from __future__ import annotations

from dartsctl.records import replace
from dartsctl.stack.config_errors import interpolation
from dartsctl.stack.config_errors.place import (
    Place,
    Sources,
    loose_texts,
    place_of,
    value_text,
    written_at,
)
from dartsctl.stack.config_errors.port_text import PortFault, port_fault
from dartsctl.stack.config_errors.problem import PORT_FORM, SET_IT, Problem, Said, advice_for, not_a
from dartsctl.text.secret_names import is_masked_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTS = {
    "hostPort": "a host port",
    "containerPort": "a container port",
    "proto": "a protocol",
    "IP address": "an IP address",
}


def bad_port(said: Said) -> Problem:
    """Return the problem of an entry of `ports`."""
    value, sources = said["value"].replace("<empty>", ""), said.sources
    matches = list(_entries(value, sources))
    if not matches:
        return _of_no_entry(value, said)
    place, raw, fault = matches[0]
    text = not_a(fault.part, fault.expected, raw, place, sources)
    others = dict.fromkeys(other.name for other, _, _ in matches[1:] if other.name != place.name)
    if others:
        text += f" (also in {', '.join(others)})"
    return Problem(replace(place, raw=raw), text, advice_for(raw, sources, PORT_FORM))


def bad_host_ip(said: Said) -> Problem:
    """Return the problem of a `host_ip`: Compose refuses it even as `${NAME}`, without a model."""
    sources, value = said.sources, said["value"]
    place = replace(place_of(said["path"], sources), key="ports.host_ip")
    for raw in written_at(place, sources):
        text = interpolation.expand(raw, sources.values)
        if text.strip() == value.strip():
            problem = not_a(text, "an IP address", raw, place, sources)
            advice = advice_for(raw, sources, "write an address such as 127.0.0.1")
            return Problem(replace(place, raw=raw), problem, advice)
    text = f"{value_text(value, is_secret=False)} is not an IP address"
    return Problem(place, text, "write an address such as 127.0.0.1")


def _entries(value: str, sources: Sources) -> Iterator[tuple[Place, str, PortFault]]:
    """Yield the wrong entries in which the value stands that Compose said."""
    for place, raw in _all_entries(sources):
        entry = interpolation.expand(raw, sources.values)
        fault = port_fault(entry)
        if fault is None:
            continue
        if (place.kind and all(part.strip() in entry for part in value.split(" and "))) or (
            not place.kind and value.strip() in (fault.part.strip(), entry)
        ):
            yield place, raw, fault


def _all_entries(sources: Sources) -> Iterator[tuple[Place, str]]:
    """Yield every entry of `ports` that is a text; without a model, every text with a variable."""
    for name, service in sources.services.items():
        entries = service.get("ports")
        if isinstance(entries, list):
            texts = [entry for entry in entries if isinstance(entry, str)]
            yield from ((Place("service", name, "ports"), raw) for raw in texts)
    if not sources.services:
        yield from loose_texts(sources)


def _of_no_entry(value: str, said: Said) -> Problem:
    """Return the problem where no entry fits what Compose said: the value may be a secret."""
    sources, empty = said.sources, said.empty
    expected = _PARTS.get(said["kind"], "a port")
    secrets = [setting.value for name, setting in sources.variables.items() if is_masked_name(name)]
    text = f"{value_text(value, is_secret=value in secrets)} is not {expected}"
    if not value:
        text = f"no {expected.partition(' ')[2]}"
    if not empty:
        return Problem(Place(key="ports"), text, PORT_FORM)
    text += f"; not set: {', '.join(empty)}"
    return Problem(_place_of(empty, sources), text, SET_IT.format(empty[0], sources.env_file))


def _place_of(names: tuple[str, ...], sources: Sources) -> Place:
    """Return the line that uses the variables, if it is just one."""
    places = []
    for file, content in sources.texts.items():
        for number, line in enumerate(content.splitlines(), 1):
            used = {reference.name for reference in interpolation.references(line)}
            if used.intersection(names):
                places.append(Place(key="ports", file=file, line=number))
    if len(places) == 1:
        return places[0]
    return Place(key="ports")
