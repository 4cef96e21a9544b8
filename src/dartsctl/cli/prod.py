"""`prod`: the verbs of the production stack."""

from __future__ import annotations

from dartsctl.cli.stack import environment_group

prod = environment_group("prod")
