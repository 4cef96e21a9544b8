"""The 501 score board, kept in SQLite or PostgreSQL."""

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
    """Return what a player has left.

    Below 2 but not 0 is a bust, which changes nothing. After 0 the next leg begins.
    """
    left = (remaining or START) - points
    return left if left == 0 or left >= 2 else remaining or START


class Board:
    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(
            _with_driver(url), pool_pre_ping=True, connect_args=_deadlines(url)
        )
        # SQLite has no SELECT FOR UPDATE: two threads would start from the same number.
        self._one_writer = threading.Lock()
        self._tables_made = False
        self._recorded = threading.Condition()
        self._count = 0  # visits recorded by this process; streams wait until it changes

    @property
    def kind(self) -> str:
        return self._engine.dialect.name

    def ping(self) -> None:
        """Ask the database. Raises sqlalchemy.exc.SQLAlchemyError if it does not answer."""
        with self._begin() as db:
            db.execute(sa.text("SELECT 1"))

    def record(self, score: Score, *, source: str, message_id: str | None = None) -> dict[str, Any]:
        """Write one visit and return it.

        RabbitMQ may deliver a message twice: a known `message_id` is written once.
        """
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
                    "INSERT INTO players (name, remaining) VALUES (:name, :start) "
                    "ON CONFLICT DO NOTHING"
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
        """Return what every player has left, and the last fifty visits, newest first."""
        with self._begin() as db:
            players = db.execute(sa.select(_players).order_by(_players.c.name)).all()
            visits = db.execute(sa.select(_visits).order_by(_visits.c.id.desc()).limit(50)).all()
        return {
            "players": [dict(row._mapping) for row in players],
            "visits": [_document(row) for row in visits],
        }

    def visits_after(self, last: int) -> list[dict[str, Any]]:
        """Return the visits with a higher id than `last`, oldest first."""
        with self._begin() as db:
            return [
                _document(row)
                for row in db.execute(
                    sa.select(_visits).where(_visits.c.id > last).order_by(_visits.c.id)
                )
            ]

    @property
    def count(self) -> int:
        """The value for `wait`. Read it before the board."""
        return self._count

    def wait(self, count: int, seconds: float) -> None:
        """Return as soon as the count differs from `count`, or after that time."""
        with self._recorded:
            self._recorded.wait_for(lambda: self._count != count, seconds)

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """Open a transaction.

        The database may be down when the app starts, so the first transaction creates the tables.
        """
        if not self._tables_made:
            _tables.create_all(self._engine)
            self._tables_made = True
        with self._engine.begin() as db:
            yield db


def _document(visit: sa.Row[Any]) -> dict[str, Any]:
    fields = dict(visit._mapping)
    at: datetime = fields["at"]
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite drops the time zone
    return fields | {"at": aware.isoformat()}


def _with_driver(url: str) -> sa.URL:
    parsed = sa.make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:  # SQLAlchemy would use psycopg2
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername.startswith("sqlite") and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return parsed


def _deadlines(url: str) -> dict[str, int]:
    """Time-outs below that of the health check, which can then say what is wrong."""
    return {"timeout": 3} if url.startswith("sqlite") else {"connect_timeout": 3}
