"""The bundled stack's settings and env file, as they are for a project of another name."""

from __future__ import annotations

import re


def own_settings(text: str, name: str, *, own_app: bool) -> str:
    """Return the bundled stack's settings for a project called `name`.

    `own_app`: the project has its own app, and the server is not the bundled sample.
    """
    text = re.sub(r'(?m)^(name|project) = "darts', rf'\g<1> = "{name}', text)
    if not own_app:
        return text
    return re.sub(r'(?m)^(directory = "compose/sample"|health = .*)\n', "", text)


def built_from_here(text: str) -> str:
    """Return the bundled stack's env file with images built from the project, `..` of compose/."""
    return re.sub(r"(?m)^#?DARTSERVER_DIR=.*$", "DARTSERVER_DIR=..", text)
