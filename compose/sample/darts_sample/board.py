"""The 501 score board: its rule, and its place in SQLite or PostgreSQL."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from .score import Score

START = 501

_tables = sa.MetaData()
_players = sa.Table(
    "players",
    _tables,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("remaining", sa.Integer, nullable=False),
)
_visits = sa.Table(
    "visits",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("player", sa.String(64), sa.ForeignKey("players.name"), nullable=False),
    sa.Column("points", sa.Integer, nullable=False),
    sa.Column("remaining", sa.Integer, nullable=False),
    sa.Column("bust", sa.Boolean, nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("message_id", sa.String(64), unique=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)


def left_after(remaining: int, points: int) -> int:
    """What a player has left. Below 2 but not 0 is a bust, which changes nothing; after 0 the next leg begins."""
    left = (remaining or START) - points
    return left if left == 0 or left >= 2 else remaining or START


class Board:
    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(
            _with_driver(url), pool_pre_ping=True, connect_args=_deadlines(url)
        )
        self._one_writer = (
            threading.Lock()
        )  # SQLite has no SELECT FOR UPDATE: two threads would start from the same number
        self._tables_made = False
        self._recorded = threading.Condition()
        self._count = 0  # of what this process has recorded: the streams sleep until it changes

    @property
    def kind(self) -> str:
        return self._engine.dialect.name

    def ping(self) -> None:
        """Raises sqlalchemy.exc.SQLAlchemyError where the database does not answer."""
        with self._begin() as db:
            db.execute(sa.text("SELECT 1"))

    def record(self, score: Score, *, source: str, message_id: str | None = None) -> dict[str, Any]:
        """Writes one visit and returns it. RabbitMQ may deliver a message twice: one with a known message_id is written once."""
        with self._one_writer:
            visit = self._write(score, source, message_id)
        with self._recorded:
            self._count += 1
            self._recorded.notify_all()
        return visit

    def _write(self, score: Score, source: str, message_id: str | None) -> dict[str, Any]:
        with self._begin() as db:
            if message_id and (
                known := db.execute(
                    sa.select(_visits).where(_visits.c.message_id == message_id)
                ).first()
            ):
                return _document(known)
            db.execute(
                sa.text(
                    "INSERT INTO players (name, remaining) VALUES (:name, :start) ON CONFLICT DO NOTHING"
                ),
                {"name": score.player, "start": START},
            )
            this_player = _players.c.name == score.player
            before = db.scalars(
                sa.select(_players.c.remaining).where(this_player).with_for_update()
            ).one()
            left = left_after(before, score.points)
            db.execute(_players.update().where(this_player).values(remaining=left))
            visit = {
                "player": score.player,
                "points": score.points,
                "remaining": left,
                "bust": left != (before or START) - score.points,
                "source": source,
                "message_id": message_id,
                "at": datetime.now(UTC),
            }
            return _document(db.execute(_visits.insert().returning(_visits), visit).one())

    def standings(self) -> dict[str, Any]:
        """Who has what left, and the last fifty visits, newest first."""
        with self._begin() as db:
            players = db.execute(sa.select(_players).order_by(_players.c.name)).all()
            visits = db.execute(sa.select(_visits).order_by(_visits.c.id.desc()).limit(50)).all()
        return {
            "players": [dict(row._mapping) for row in players],
            "visits": [_document(row) for row in visits],
        }

    def visits_after(self, last: int) -> list[dict[str, Any]]:
        """The visits with a higher id than `last`, oldest first."""
        with self._begin() as db:
            return [
                _document(row)
                for row in db.execute(
                    sa.select(_visits).where(_visits.c.id > last).order_by(_visits.c.id)
                )
            ]

    @property
    def count(self) -> int:
        """What `wait` is to compare with; read it before the board is read."""
        return self._count

    def wait(self, count: int, seconds: float) -> None:
        """Returns as soon as more than `count` has been recorded, or after that time."""
        with self._recorded:
            self._recorded.wait_for(lambda: self._count != count, seconds)

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """A transaction. The first one that reaches the database makes the tables: it may be down when the app starts."""
        if not self._tables_made:
            _tables.create_all(self._engine)
            self._tables_made = True
        with self._engine.begin() as db:
            yield db


def _document(visit: sa.Row[Any]) -> dict[str, Any]:
    fields = dict(visit._mapping)
    at: datetime = fields["at"]
    return fields | {
        "at": (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()
    }  # SQLite forgets the time zone


def _with_driver(url: str) -> sa.URL:
    parsed = sa.make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:  # SQLAlchemy would take psycopg2
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername.startswith("sqlite") and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return parsed


def _deadlines(url: str) -> dict[str, int]:
    """Below the health check's own time-out, so that it says what is wrong instead of nothing."""
    return {"timeout": 3} if url.startswith("sqlite") else {"connect_timeout": 3}
