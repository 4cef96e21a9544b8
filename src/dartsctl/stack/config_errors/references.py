"""Errors about what a service names: networks, volumes, services, images, container names."""

from __future__ import annotations

from dartsctl.records import replace
from dartsctl.stack.config_errors import interpolation
from dartsctl.stack.config_errors.place import Place, Sources, quoted, texts_at, unset
from dartsctl.stack.config_errors.problem import SET_IT, Problem, Said, advice_for, not_a
from dartsctl.text.phrases import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def undefined(said: Said) -> Problem:
    kind, name = said["kind"], said["name"].strip('"')
    place = Place("service", said["service"], f"{kind}s")
    if not name:
        fitting = [raw for raw in texts_at(place, said.sources) if "$" in raw]
        raw = next((raw for raw in _keys_at(place, said.sources) if unset(raw, said.sources)), "")
        raw = raw or next(iter(fitting), "")
        text = not_a("", f"a {kind}", raw, place, said.sources)
        return Problem(
            replace(place, raw=raw), text, advice_for(raw, said.sources, f"name the {kind}")
        )
    similar = did_you_mean(name, said.sources.model.get(f"{kind}s") or ())
    return Problem(
        replace(place, raw=name),
        f"{kind} {name} is not defined at the top level",
        similar or f"define it under `{kind}s:`, with `external: true` if it exists already",
    )


def _keys_at(place: Place, sources: Sources) -> tuple[str, ...]:
    entries = sources.services.get(place.name, {}).get(place.key)
    return tuple(map(str, entries)) if isinstance(entries, dict) else texts_at(place, sources)


def undefined_service(said: Said) -> Problem:
    service, name = said["service"], said["name"].strip('"')
    key = _key_that_needs(service, name, said.sources)
    place = Place("service", service, key)
    profiles = said.sources.services.get(name, {}).get("profiles")
    if isinstance(profiles, list) and profiles:
        shown = " or ".join(map(str, profiles))
        text = f"it needs {name}, which only the profile {shown} enables"
        return Problem(place, text, f"enable it with --profile {profiles[0]}, or remove the need")
    similar = did_you_mean(name, [other for other in said.sources.services if other != service])
    text = f"service {name} does not exist" if name else "it names no service"
    return Problem(
        replace(place, raw=""), text, similar or f"add the service, or remove it from {key}"
    )


def _key_that_needs(service: str, name: str, sources: Sources) -> str:
    body = sources.services.get(service, {})
    for key in ("network_mode", "pid", "ipc", "uts"):
        if str(body.get(key, "")) == f"service:{name}":
            return key
    for key in ("depends_on", "links", "volumes_from"):
        entries = body.get(key) or ()
        if any(str(entry).partition(":")[0] == name for entry in entries):
            return key
    return "depends_on"


def no_image(said: Said) -> Problem:
    place = Place("service", said["service"], "image")
    raw = next(iter(texts_at(place, said.sources)), "")
    if raw:
        text = not_a("", "an image", raw, place, said.sources)
        return Problem(
            replace(place, raw=raw), text, advice_for(raw, said.sources, "name an image")
        )
    return Problem(
        Place("service", said["service"]),
        "it has neither `image` nor `build`",
        "add one of them",
    )


def cycle(said: Said) -> Problem:
    path = said["path"].split(" -> ")
    if path[0] != path[-1]:
        path = [path[-1], *path]
    return Problem(
        Place("service", path[0], "depends_on"),
        f"the services wait for each other: {' -> '.join(path)}",
        "remove one of these dependencies",
    )


def same_name(said: Said) -> Problem:
    service, name = said["service"], said["name"]
    others = [
        other
        for other, body in said.sources.services.items()
        if body.get("container_name") == name and other != service
    ]
    whose = " and ".join(f"service {other}" for other in others) or "another service"
    text = f"{whose} has the container name {name} too"
    return Problem(Place("service", service, "container_name"), text, "give each its own name")


def health_test(said: Said) -> Problem:
    names = []
    for name, service in said.sources.services.items():
        check = service.get("healthcheck")
        test = check.get("test") if isinstance(check, dict) else None
        if isinstance(test, list) and test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
            names.append(name)
    place = Place("service" if names else "", ", ".join(names), "healthcheck.test")
    text = "a list must begin with CMD, CMD-SHELL or NONE"
    return Problem(place, text, 'write ["CMD", "curl", ...], or one text')


def _volume_texts(place: Place, sources: Sources) -> Iterator[str]:
    """Yield a service's volumes in the short form, which Compose's model may not keep.

    Of a split entry the options are left out.
    """
    yield from texts_at(place, sources)
    entries = sources.services.get(place.name, {}).get(place.key)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield f"{entry.get('source', '')}:{entry.get('target', '')}"


def volume_spec(said: Said) -> Problem:
    spec = said["value"]
    for name in said.sources.services:
        place = Place("service", name, "volumes")
        for raw in _volume_texts(place, said.sources):
            expanded = interpolation.expand(raw, said.sources.values)
            if spec == expanded or spec.startswith(f"{expanded}:"):
                text = not_a("", "a source before the colon", raw, place, said.sources)
                place = replace(place, raw=raw)
                advice = advice_for(raw, said.sources, "write volumes as SOURCE:TARGET[:ro]")
                return Problem(place, text, advice)
    advice = ""
    if len(said.empty) == 1:
        advice = SET_IT.format(said.empty[0], said.sources.env_file)
    return Problem(
        Place(key="volumes"),
        f"{quoted(spec)}: {said['text'].strip()}",
        advice or "write volumes as SOURCE:TARGET[:ro]",
    )
