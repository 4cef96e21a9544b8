"""The score board as server-sent events: the standings first, then every visit as it is recorded, wherever it came from."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import flask
from sqlalchemy.exc import SQLAlchemyError

from .board import Board

SILENCE = (
    15.0  # seconds; then a comment, below the minute after which nginx gives a silent service up
)
MOST = 48  # each stream keeps one of gunicorn's 64 threads

log = logging.getLogger(__name__)
_free = threading.BoundedSemaphore(MOST)


def answer(board: Board, last_event_id: str | None) -> flask.Response:
    """The stream as a response, 503 when there are too many. A browser that comes back says the last id, and misses nothing."""
    if not _free.acquire(blocking=False):
        return flask.Response(
            "too many streams at once\n", 503, {"Retry-After": "30"}, content_type="text/plain"
        )
    last = int(last_event_id) if last_event_id and last_event_id.isdecimal() else None
    response = flask.Response(
        _until_the_database_goes(events(board, last)), content_type="text/event-stream"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx: pass each event on at once
    response.call_on_close(_free.release)
    return response


def events(board: Board, last: int | None, *, silence: float = SILENCE) -> Iterator[str]:
    """Without end: `board` with the standings unless `last` is known, then `visit` for every id above it."""
    count = board.count
    if last is None:
        standings = board.standings()
        last = max((visit["id"] for visit in standings["visits"]), default=0)
        yield _event("board", last, standings)
    while True:
        visits = board.visits_after(last)
        for visit in visits:
            last = visit["id"]
            yield _event("visit", visit["id"], visit)
        if not visits:
            yield ": nothing new\n\n"  # also how a client that has gone is noticed
        board.wait(count, silence)
        count = board.count


def _until_the_database_goes(stream: Iterator[str]) -> Iterator[str]:
    """Its status has been sent, so the stream can only end: the browser comes back by itself."""
    try:
        yield from stream
    except SQLAlchemyError as error:
        log.warning("a stream ends: %s", str(error).splitlines()[0])


def _event(name: str, number: int, document: dict[str, Any]) -> str:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(document)}\n\n"
