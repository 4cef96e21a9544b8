"""What Compose's error about its files means: file, service, key, value and cause in one sentence.

The texts are those of Compose 2.24 to 2.40: tests/data/record_compose_errors.py records them.
Compose's own text is kept only where nothing is known about it, and never with a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from dartsctl.errors import Advice
from dartsctl.records import record, replace
from dartsctl.stack.compose_errors import plain_message, unset_variables
from dartsctl.stack.config_errors import files, interpolation, references, variables
from dartsctl.stack.config_errors.place import Place, Sources, located, place_of, these_are
from dartsctl.stack.config_errors.ports import bad_host_ip, bad_port
from dartsctl.stack.config_errors.problem import (
    PORT_FORM,
    Problem,
    Said,
    set_them,
    value_problem,
)
from dartsctl.stack.config_errors.schema import schema_problem
from dartsctl.stack.config_errors.yaml_text import yaml_error
from dartsctl.text.secret_names import is_masked_name

if TYPE_CHECKING:
    from dartsctl.stack.long_ports import WrongPort

Reader = Callable[[Said], Problem | None]
"""Return the problem that an error describes, None if it is another error."""


@record
class ConfigError:
    """An error about the files. `sentence` goes after `Compose cannot read`.

    `variable` is a required one (`${NAME:?}`) that has no value.
    """

    sentence: str
    hint: str = ""
    variable: str = ""


def explain(stderr: str, sources: Sources) -> ConfigError:
    """Return what the stderr of a failed `docker compose config` says about `sources`."""
    lines = [line for line in stderr.splitlines() if line.strip() and "level=warning" not in line]
    text = "\n".join(map(plain_message, lines)).removesuffix(": invalid compose project")
    empty = unset_variables(stderr)
    for pattern, reader in _READERS:
        if match := pattern.search(text):
            problem = reader(Said(match, sources, empty))
            if problem is not None:
                return _error(problem, empty, sources)
    return _unknown(text, empty, sources)


def explain_port(wrong: WrongPort, empty: tuple[str, ...], sources: Sources) -> ConfigError:
    """Return what is wrong with a long entry of `ports` that Compose itself takes."""
    place = Place("service", wrong.service, f"ports.{wrong.key}")
    return _error(value_problem(place, wrong.value, wrong.expected, sources), empty, sources)


def _error(problem: Problem, empty: tuple[str, ...], sources: Sources) -> ConfigError:
    place = problem.place
    if not place.file:
        place = located(place, sources)
    problem = _with_unset(problem, place, empty, sources)
    where = place.file or ", ".join(sources.files) or "the Compose files"
    if place.line:
        where += f":{place.line}"
    sentence = ": ".join(filter(None, (where, place.words, problem.text)))
    return ConfigError(sentence, Advice(problem.advice) if problem.advice else "", problem.variable)


def _with_unset(
    problem: Problem, place: Place, empty: tuple[str, ...], sources: Sources
) -> Problem:
    """Return the problem with the variables that are not set on its line, if it names none."""
    lines = sources.text_of(place.file).splitlines()
    if problem.place.raw or problem.variable or not 0 < place.line <= len(lines):
        return problem
    used = {reference.name for reference in interpolation.references(lines[place.line - 1])}
    names = [name for name in empty if name in used]
    if not names or "because" in problem.text:
        return problem
    text = f"{problem.text}, because {these_are(names)} not set"
    return replace(problem, text=text, advice=set_them(names, sources.env_file))


def _unknown(text: str, empty: tuple[str, ...], sources: Sources) -> ConfigError:
    """Return Compose's own words, without values of variables that are secrets."""
    lines = text.splitlines()
    line = next(reversed(lines), "Compose ended without a message")
    for name, setting in sources.variables.items():
        if is_masked_name(name) and len(setting.value) > 3:
            line = line.replace(setting.value, "***")
    if empty:
        line += f"; not set: {', '.join(empty)}"
    if not any(file in line for file in sources.files):
        line = ": ".join(filter(None, (", ".join(sources.files), line)))
    return ConfigError(line)


def schema_error(said: Said) -> Problem | None:
    """Return a violation of the specification: an unknown key, a wrong type, a wrong value."""
    problem = schema_problem(said["path"], said["text"].strip())
    if problem is None:
        return None
    sources = said.sources
    file = said["file"]
    if not file and len(sources.files) == 1:
        file = sources.files[0]
    if text := sources.text_of(file):
        sources = replace(sources, texts={file: text})
    place = place_of(problem.path, said.sources)
    line = located(replace(place, key=problem.unknown_key or place.key), sources).line
    return Problem(replace(place, file=file, line=line), problem.text, problem.advice)


def crash(said: Said) -> Problem:
    return Problem(
        Place(),
        f"Compose itself crashed ({said['text'].strip()[:120]})",
        "a newer Compose may say what is wrong with the files",
    )


def simple(text: str, advice: str = "", *, key: str = "") -> Reader:
    """Return a reader for an error whose groups are in `text`: `{service}`, `{path}`, `{name}`."""

    def read(said: Said) -> Problem:
        groups = {name: value or "" for name, value in said.match.groupdict().items()}
        place = Place(key=key)
        if "service" in groups:
            place = Place("service", groups["service"], key)
        if "path" in groups:
            place = place_of(groups["path"], said.sources)
        return Problem(place, text.format(**groups), advice.format(**groups))

    return read


_READERS: tuple[tuple[re.Pattern[str], Reader], ...] = tuple(
    (re.compile(pattern, re.DOTALL), reader)
    for pattern, reader in (
        (r"^(?:panic: |fatal error: |runtime: )(?P<text>[^\n]*)", crash),
        (
            (
                r"(?:failed to read (?P<file>.+?): )?(?:error while interpolating (?P<path>\S+): )?"
                r"required variable (?P<name>\w+) is missing a value(?:: (?P<message>[^\n]*))?"
            ),
            variables.required,
        ),
        (
            r"invalid interpolation format for (?P<path>[^\n]+)\.\n[^\n]*\n(?P<text>.*)",
            variables.broken_template,
        ),
        (
            r'failed to read (?P<file>.+?): Invalid template: "(?P<text>.*)"',
            variables.broken_env_template,
        ),
        (
            (
                r"error while interpolating (?P<path>\S+): failed to cast to expected type: "
                r'(?:(?P<parser>strconv\.\w+): parsing "(?P<value>[^\n]*)": |'
                r"invalid boolean: ?(?P<bool>[^\n]*))"
            ),
            variables.wrong_type,
        ),
        (
            (
                r"^(?:invalid (?P<kind>hostPort|containerPort|proto|IP address|ranges specified "
                r"for container and host Ports)|no port specified): ?(?P<value>[^\n]*)$"
            ),
            bad_port,
        ),
        (
            r"^(?P<path>services\.\S+): invalid ip address: ?(?P<value>[^\n]*)$",
            bad_host_ip,
        ),
        (r'^invalid project name "(?P<value>[^\n]*?)"', variables.project_name),
        (
            r"^service ports (?P<path>\S+) is missing a target port",
            simple("the container port is missing", "add `target:`"),
        ),
        (
            r"^service volume (?P<path>\S+) is missing a mount target",
            simple("the path in the container is missing", "add `target:`"),
        ),
        (
            r"^(?P<path>\S+): invalid type \w+ for port",
            simple("an entry is neither a text nor a mapping", PORT_FORM),
        ),
        (
            r"[Nn]on-string key in (?P<path>\S+): (?P<name>[^\n]*)",
            simple("the key {name} is no text", "write a list, or put the key in quotes"),
        ),
        (
            (
                r'^service "(?P<service>[^"]+)" refers to undefined '
                r"(?P<kind>volume|network|secret|config) (?P<name>[^\n:]*)"
            ),
            references.undefined,
        ),
        (
            r'^service "(?P<service>[^"]+)" depends on undefined service (?P<name>[^\n:]*)',
            references.undefined_service,
        ),
        (
            r'^service "(?P<service>[^"]+)" has neither an image nor a build context',
            references.no_image,
        ),
        (r"dependency cycle detected: (?P<path>[^\n]+)", references.cycle),
        (
            (
                r'^cannot extend service "(?P<service>[^"]+)" in (?P<file>[^\n]+): '
                r'service (?:"(?P<name>[^"]*)" )?not found(?: in (?P<other>[^\n]+))?'
            ),
            files.extends,
        ),
        (
            r"^Circular reference:\s+(?P<service>\S+) in (?P<file>[^\n]+)",
            simple("it extends itself, over other services", "remove one `extends`", key="extends"),
        ),
        (
            r"^include cycle detected:\s+(?P<file>[^\n]+)",
            files.include_cycle,
        ),
        (
            r"^(?P<path>\S+) conflicts with imported resource",
            simple("an included file defines it too", "rename one of them, or extend it"),
        ),
        (
            r"^service (?P<service>\S+) declares mutually exclusive `network_mode` and `networks`",
            simple("`network_mode` and `networks` exclude each other", "remove one of them"),
        ),
        (
            r"can't set container_name and (?P<service>\S+) as container name must be unique",
            simple(
                "`container_name` and several replicas exclude each other",
                "remove container_name or the replicas",
            ),
        ),
        (
            r'^services\.(?P<service>\S+): container name "(?P<name>[^"]+)" is already',
            references.same_name,
        ),
        (
            r'^(?P<path>\S+): conflicting parameters "external" and "(?P<name>\w+)" specified',
            simple("`external` and `{name}` exclude each other", "remove one of them"),
        ),
        (
            r"^(?P<path>\S+): one of (?P<name>[\w|]+) must be set",
            simple("one of {name} is needed", "add one of them"),
        ),
        (r"^invalid spec: (?P<value>[^\n]*?): (?P<text>[^\n]*)$", references.volume_spec),
        (r"^healthcheck\.test must start either by", references.health_test),
        (r"^(?P<kind>env file|label file) (?P<path>.*?) not found", files.env_file_missing),
        (r"^failed to read (?P<file>.+?): line (?P<line>\d+): (?P<text>[^\n]*)", files.env_line),
        (
            r"(?:^|: )(?:read )?(?P<path>/[^\n:]+)(?::)? is a directory",
            files.folder,
        ),
        (r"open (?P<path>[^\n]+): permission denied", files.unreadable),
        (
            r"^(?:open|stat) (?P<path>[^\n]+): no such file or directory",
            files.file_missing,
        ),
        (r"^cannot read (?P<path>[^\n:]+)$", files.file_missing),
        (
            (
                r"^(?:failed to parse (?P<file>[^\n]+?): )?(?:yaml: )(?:unmarshal errors:\s+)?"
                r"(?:line (?P<line>\d+): )?(?P<text>[^\n]+)"
            ),
            yaml_error,
        ),
        (
            r"^failed to parse (?P<file>[^\n]+?): line (?P<line>\d+): (?P<text>mapping key [^\n]+)",
            yaml_error,
        ),
        (
            (
                r"(?:decoding failed|error\(s\) decoding).*?\n\s*(?:\* error decoding )?"
                r"'(?P<path>[^']+)':? (?P<text>[^\n]*)"
            ),
            variables.decoding_error,
        ),
        (r"^validating (?P<file>.+?): (?P<path>\S*) ?(?P<text>.+)$", schema_error),
        (
            r"^(?P<file>)(?P<path>[\w.\[\]-]+):? (?P<text>must be .+|unexpected type .+)$",
            schema_error,
        ),
        (
            r"^(?:empty compose file|Top-level object must be a mapping)",
            simple("it has no services", "add a services: section"),
        ),
        (
            r"^no configuration file provided",
            simple("no configuration file provided", "name a file: dartsctl check -f FILE"),
        ),
    )
)
