"""A score: one visit of three darts by one player."""

from dataclasses import dataclass
from typing import Any, Self

# Not possible with three darts.
IMPOSSIBLE = {163, 166, 169, 172, 173, 175, 176, 178, 179}


class BadScore(ValueError):
    """A mistake of the sender. Its text is the response."""


@dataclass(frozen=True)
class Score:
    player: str
    points: int

    @classmethod
    def of(cls, document: Any) -> Self:
        """Read the score in a parsed JSON document. Raises BadScore."""
        if not isinstance(document, dict):
            raise BadScore('a JSON object like {"player": "Ann", "points": 60} is expected')
        player, points = document.get("player"), document.get("points")
        if not isinstance(player, str) or not 1 <= len(player.strip()) <= 64:
            raise BadScore("player: a name of 1 to 64 characters")
        # bool is a subclass of int
        if (
            not isinstance(points, int)
            or isinstance(points, bool)
            or not 0 <= points <= 180
            or points in IMPOSSIBLE
        ):
            raise BadScore("points: what three darts can make, 0 to 180")
        return cls(player.strip(), points)
