"""Where an error about Compose files stands: service, key, file, line, and the variables there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dartsctl.records import field, record
from dartsctl.stack.config_errors.interpolation import Reference, references, shown
from dartsctl.text.secret_names import is_masked_name, password_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_KINDS = {
    "services": "service",
    "networks": "network",
    "volumes": "volume",
    "secrets": "secret",
    "configs": "config",
}
_PRIVATE_KEYS = frozenset(
    [
        "environment",
        "command",
        "entrypoint",
        "labels",
        "args",
        "test",
        "content",
        "build_args",
        "annotations",
    ]
)
"""Keys whose texts may contain a secret of any form."""


@record
class Setting:
    """The value of a variable, and its place: `.env:3`, or the environment."""

    value: str = field(repr=False)
    origin: str


@record
class Sources:
    """What is known about the files that Compose refuses.

    `model`: the files merged, without interpolation, as far as Compose can tell. `texts`: the files
    that were named, by path; `used`: those that they name for `include` and `extends`.
    """

    files: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    model: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variables: Mapping[str, Setting] = field(default_factory=dict, repr=False)
    env_files: tuple[str, ...] = ()
    used: Mapping[str, str] = field(default_factory=dict, repr=False)

    def text_of(self, file: str) -> str:
        """Return a file's text, empty if it was not read."""
        return self.texts.get(file) or self.used.get(file, "")

    @property
    def services(self) -> Mapping[str, Mapping[str, Any]]:
        """The services before interpolation; empty where Compose cannot tell them."""
        services = self.model.get("services")
        if not isinstance(services, dict):
            return {}
        return {name: body for name, body in services.items() if isinstance(body, dict)}

    @property
    def values(self) -> dict[str, str]:
        return {name: setting.value for name, setting in self.variables.items()}

    @property
    def env_file(self) -> str:
        """Where to set a variable, in words."""
        return next(reversed(self.env_files), "the environment's env file")


@record
class Place:
    """A place in a Compose file. `raw` is the text there before interpolation, if it is known."""

    kind: str = ""
    name: str = ""
    key: str = ""
    raw: str = ""
    file: str = ""
    line: int = 0

    @property
    def words(self) -> str:
        """`service db: ports`."""
        subject = f"{self.kind} {self.name}".strip()
        return ": ".join(filter(None, (subject, self.key)))

    @property
    def is_private(self) -> bool:
        """Whether the text there may contain a secret of any form."""
        keys = re.split(r"[.\[\]]+", self.key)
        return not _PRIVATE_KEYS.isdisjoint(keys) or any(map(is_masked_name, keys))


def place_of(path: str, sources: Sources) -> Place:
    """Return the place of a path as Compose writes it.

    `services.db.ports.[]`, `services[db].mem_limit`, `(root)`. A service's name may contain dots.
    """
    path = re.sub(r"\.?\[([^\[\]]*)\]", r".\1", path.strip())
    path = re.sub(r"\.+", ".", path).strip(".")
    if path in ("", "(root)"):
        return Place()
    top, _, rest = path.partition(".")
    if top not in _KINDS or not rest:
        return Place(key=path)
    entries = sources.model.get(top)
    names = [rest.partition(".")[0]]
    if isinstance(entries, dict):
        names += [name for name in entries if rest == name or rest.startswith(f"{name}.")]
    name = max(names, key=len)
    return Place(_KINDS[top], name, rest[len(name) :].strip("."))


def located(place: Place, sources: Sources) -> Place:
    """Return the place with its file and line, where only one line fits."""
    matches = []
    for texts in (sources.texts, sources.used):
        for file, text in texts.items():
            matches += [(file, number) for number in _lines(place, text)]
        if matches:
            break
    if len(matches) != 1:
        return place
    file, line = matches[0]
    return Place(place.kind, place.name, place.key, place.raw, file, line)


def _lines(place: Place, text: str) -> Iterator[int]:
    """Yield the lines that may be the place: with its text, else with its key."""
    key = re.sub(r"(\.\d+)+$", "", place.key).rpartition(".")[2]
    if place.raw:
        pattern = re.escape(place.raw)
    elif key:
        pattern = rf"^\s*(?:- )?[\"']?{re.escape(key)}[\"']?\s*:"
    elif place.name:
        pattern = rf"^\s+[\"']?{re.escape(place.name)}[\"']?\s*:"
    else:
        return
    lines = text.splitlines()
    first, last = _block(place, lines)
    for number in range(first, last):
        if re.search(pattern, lines[number]):
            yield number + 1


def _block(place: Place, lines: list[str]) -> tuple[int, int]:
    """Return the first and last line (exclusive) of the place's service, or of the whole file."""
    header = re.compile(rf"^(\s+)[\"']?{re.escape(place.name)}[\"']?\s*:")
    starts = [number for number, line in enumerate(lines) if place.name and header.match(line)]
    if place.name and not starts and not place.raw:
        return 0, 0  # another file has it
    if len(starts) != 1:
        return 0, len(lines)
    start = starts[0]
    indent = len(lines[start]) - len(lines[start].lstrip())
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return start, number
    return start, len(lines)


def loose_texts(sources: Sources) -> Iterator[tuple[Place, str]]:
    """Yield the texts with a variable in the files, where Compose can tell no model."""
    for file, text in (*sources.texts.items(), *sources.used.items()):
        for number, line in enumerate(text.splitlines(), 1):
            for match in re.finditer(
                r"\"([^\"]*\$[^\"]*)\"|'([^']*\$[^']*)'|- +([^\s\"']*\$\S*)$", line
            ):
                yield (
                    Place(key="ports", file=file, line=number),
                    "".join(filter(None, match.groups())),
                )


def written_at(place: Place, sources: Sources) -> Iterator[str]:
    """Yield the texts at a place as the files have them, where Compose can tell no model."""
    key = re.escape(place.key.rpartition(".")[2])
    value = r"\"([^\"]*)\"|'([^']*)'|(\$\{[^}\n]*\}|[^\s,}#]+)"
    pattern = re.compile(rf"[\"']?\b{key}[\"']?\s*:\s+(?:{value})")
    for text in (*sources.texts.values(), *sources.used.values()):
        lines = text.splitlines()
        first, last = _block(place, lines)
        for line in lines[first:last]:
            for match in pattern.finditer(line):
                yield "".join(filter(None, match.groups()))


def texts_at(place: Place, sources: Sources) -> tuple[str, ...]:
    """Return the texts at a place before interpolation; of a list, every entry."""
    if place.kind != "service":
        return ()
    values: list[Any] = [sources.services.get(place.name, {})]
    for key in place.key.split("."):
        values = [inner for value in values for inner in _inside(value, key)]
    texts: list[str] = []
    for value in values:
        entries = value if isinstance(value, list) else [value]
        texts += [str(entry) for entry in entries if isinstance(entry, str | int | float)]
    return tuple(texts)


def _inside(value: Any, key: str) -> list[Any]:
    """Return what is under a key, in a list that of every entry."""
    if isinstance(value, dict):
        return [inner for name, inner in value.items() if name == key]
    if not isinstance(value, list):
        return []
    if key.isdigit():
        return value[int(key) : int(key) + 1]
    return [entry[key] for entry in value if isinstance(entry, dict) and key in entry]


# --- values in messages ---------------------------------------------------------------------------


def quoted(text: str) -> str:
    """Return a text in quotes; what cannot be seen is written as an escape."""
    visible = "".join(map(_visible, text))
    if '"' in visible:
        return f"'{visible}'"
    return f'"{visible}"'


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()


def value_text(value: str, *, is_secret: bool) -> str:
    """Return a value for a message: a secret only by its length."""
    if is_secret or password_in(value):
        return f"a value of {len(value)} characters"
    return quoted(value)


def raw_text(raw: str) -> str:
    """Return a text of a Compose file for a message, without defaults that may be secrets."""
    return f"`{shown(raw)}`"


def unset(raw: str, sources: Sources) -> tuple[str, ...]:
    """Return the variables in `raw` that have no value and no default."""
    names = {reference.name for reference in references(raw) if reference.has_default}
    needed = [reference.name for reference in references(raw) if reference.name not in names]
    return tuple(dict.fromkeys(name for name in needed if not sources.values.get(name)))


def because(raw: str, sources: Sources) -> str:
    """Return what the variables in `raw` have to do with an error there.

    `because DB_PORT is not set`, else the value of each: `DB_PORT is "23030 " (.env:1)`.
    """
    names = unset(raw, sources)
    if names:
        return f"because {these_are(names)} {_lacking(names, sources)}"
    facts: dict[str, None] = {}
    for reference in references(raw):
        facts[_fact(reference, sources)] = None
    return "; ".join(filter(None, facts))


def _lacking(names: tuple[str, ...], sources: Sources) -> str:
    places = [sources.variables[name].origin for name in names if name in sources.variables]
    if len(places) == len(names):
        return f"empty ({', '.join(dict.fromkeys(places))})"
    return "not set"


def _fact(reference: Reference, sources: Sources) -> str:
    setting = sources.variables.get(reference.name)
    if setting is None:
        if is_masked_name(reference.name) or not reference.has_default:
            return ""
        return f"{reference.name} is not set, so its default counts"
    value = value_text(setting.value, is_secret=is_masked_name(reference.name))
    return f"{reference.name} is {value}{_odd(setting.value)} ({setting.origin})"


def _odd(value: str) -> str:
    """Return what is hard to see in a value."""
    notes = []
    if value != value.lstrip():
        notes.append("a blank at its beginning")
    if value != value.rstrip():
        notes.append(
            "a blank at its end"
            if value.rstrip("\r\n\t") == value
            else "a control character at its end"
        )
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        notes.append("quotes of its own")
    if not notes:
        return ""
    return f", with {' and '.join(notes)}"


def these_are(names: Sequence[str]) -> str:
    """Return `A is`, or `A, B and C are`."""
    if len(names) == 1:
        return f"{names[0]} is"
    return f"{', '.join(names[:-1])} and {names[-1]} are"
