"""Errors about variables, and about the values that they give."""

from __future__ import annotations

import re

from dartsctl.records import replace
from dartsctl.stack.config_errors import interpolation
from dartsctl.stack.config_errors.place import Place, place_of, quoted, texts_at
from dartsctl.stack.config_errors.problem import Problem, Said, value_problem
from dartsctl.text.secret_names import is_masked_name


def required(said: Said) -> Problem:
    path, name, message = said["path"], said["name"], said["message"].strip()
    setting = said.sources.variables.get(name)
    state = "not set"
    if setting:
        state = f"empty ({setting.origin})"
    text = f"required variable {name} is {state}"
    if message:
        text += f": {message}"
    if said["file"]:
        return Problem(Place(file=said["file"]), text, f"set {name} in {said['file']}", name)
    place = place_of(path or "", said.sources)
    for raw in texts_at(place, said.sources):
        names = [reference.name for reference in interpolation.references(raw)]
        if name in names:
            return Problem(
                replace(place, raw=raw), text, f"set {name} in {said.sources.env_file}", name
            )
    return Problem(place, text, f"set {name} in {said.sources.env_file}", name)


def project_name(said: Said) -> Problem:
    """Return the problem of a project's name that `COMPOSE_PROJECT_NAME` or an option gives."""
    value, rule = said["value"], "lowercase letters, digits, `-` and `_`"
    setting = said.sources.variables.get("COMPOSE_PROJECT_NAME")
    text = f"{quoted(value)} is not a project name"
    if setting is None or setting.value != value:
        return Problem(Place(), text, f"use {rule}, first a letter or digit")
    text += f"; COMPOSE_PROJECT_NAME is {quoted(value)} ({setting.origin})"
    return Problem(Place(), text, f"use {rule} in {setting.origin}, first a letter or digit")


_NO_VARIABLE = "a text with a $ is no valid variable"


def broken_template(said: Said) -> Problem:
    raw = said["text"]
    fault = interpolation.fault(raw)
    if fault is None:
        fault = interpolation.Fault(_NO_VARIABLE, "write a plain $ as $$")
    place = replace(place_of(said["path"], said.sources), raw=raw.partition("\n")[0])
    names = [word for word in re.findall(r"\w+", raw) if is_masked_name(word)]
    text = fault.problem
    if not place.is_private and not names:
        text = f"`{raw}`: {text}"
    return Problem(place, text, fault.advice)


def broken_env_template(said: Said) -> Problem:
    fault = interpolation.fault(said["text"].replace('\\"', '"'))
    if fault is None:
        fault = interpolation.Fault(_NO_VARIABLE, "put a text with a plain $ in single quotes")
    return Problem(Place(file=said["file"]), fault.problem, fault.advice)


_TYPES = {
    "strconv.Atoi": "a whole number",
    "strconv.ParseInt": "a whole number",
    "strconv.ParseUint": "a whole number",
    "strconv.ParseFloat": "a number",
}


def wrong_type(said: Said) -> Problem:
    place = place_of(said["path"], said.sources)
    expected = _TYPES.get(said["parser"], "true or false")
    return value_problem(place, said["value"] or said["bool"], expected, said.sources)


def decoding_error(said: Said) -> Problem:
    place = place_of(said["path"], said.sources)
    text = said["text"].strip()
    if duration := re.search(
        r'(?:invalid duration|in duration|missing unit in duration) "(.*)"', text
    ):
        return value_problem(place, duration[1], "a duration such as 30s or 1m30s", said.sources)
    if size := re.search(r"invalid (?:size|suffix): '(.*)'", text):
        fitting = texts_at(place, said.sources)
        value = (
            interpolation.expand(fitting[0], said.sources.values) if len(fitting) == 1 else size[1]
        )
        return value_problem(place, value, "a size such as 512m or 2g", said.sources)
    return Problem(place, text, "correct this value")
