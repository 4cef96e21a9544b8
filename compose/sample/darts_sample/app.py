"""darts-app: the score board over HTTP and as a stream."""

import os
from pathlib import Path
from typing import Any

import flask
from sqlalchemy.exc import SQLAlchemyError

from . import stream
from .board import Board
from .consumer import start_consumer
from .pages import pages
from .score import BadScore, Score

Answer = tuple[dict[str, Any], int]


def create_app(database_url: str | None = None) -> flask.Flask:
    """Return the app. Database: `database_url`, DATABASE_URL, or a SQLite file.

    The file is SCORES_DB, by default instance/scores.db beside run.py.
    """
    app = flask.Flask(__name__)
    board = Board(database_url or os.environ.get("DATABASE_URL") or _sqlite_file())
    app.extensions["board"] = board
    app.register_blueprint(pages)

    @app.get("/health")
    def health() -> Answer:
        consumer = app.extensions.get("consumer")
        facts = {
            "service": "darts-app",
            "database": board.kind,
            "consumer": consumer.state if consumer else "off",
        }
        try:
            board.ping()
        except SQLAlchemyError as error:
            app.logger.warning("the database does not answer: %s", str(error).splitlines()[0])
            return {"status": "no database"} | facts, 503
        return {"status": "ok"} | facts, 200

    @app.get("/stream")
    def events() -> flask.Response:
        return stream.answer(board, flask.request.headers.get("Last-Event-ID"))

    @app.get("/scores")
    def standings() -> Answer:
        return board.standings(), 200

    @app.post("/scores")
    def record() -> Answer:
        try:
            score = Score.of(flask.request.get_json(silent=True))
        except BadScore as mistake:
            return {"error": str(mistake)}, 400
        return board.record(score, source="http"), 201

    @app.errorhandler(SQLAlchemyError)
    def no_database(error: SQLAlchemyError) -> Answer:
        app.logger.error("the database does not answer: %s", str(error).splitlines()[0])
        return {"error": "the database does not answer"}, 503

    return app


def serve() -> flask.Flask:
    """Return the app with its consumer, for gunicorn."""
    app = create_app()
    start_consumer(app)
    return app


def _sqlite_file() -> str:
    path = (
        os.environ.get("SCORES_DB")
        or Path(__file__).resolve().parents[1] / "instance" / "scores.db"
    )
    return f"sqlite:///{path}"
