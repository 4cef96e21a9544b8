"""api-gateway: accepts scores from outside, checks the token, and sends them to RabbitMQ."""

import importlib
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

import flask

from . import broker, tokens
from .score import BadScore, Score

ROUTING_KEY = "darts.scores.api"

Answer = tuple[dict[str, Any], int]


class NotDelivered(Exception):
    """RabbitMQ did not take the score."""


def publish(score: Score, message_id: str) -> None:
    """Send a score; return when RabbitMQ has it in a queue. Raises NotDelivered."""
    pika = importlib.import_module("pika")
    try:
        connection = broker.connect()  # one per score: nothing to keep alive, no dead connections
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(
                broker.exchange(channel),
                ROUTING_KEY,
                json.dumps({"player": score.player, "points": score.points}).encode(),
                pika.BasicProperties(
                    content_type="application/json", delivery_mode=2, message_id=message_id
                ),
                mandatory=True,  # without a queue the exchange would drop it silently
            )
        finally:
            if connection.is_open:
                connection.close()
    except (pika.exceptions.AMQPError, OSError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error


def create_gateway(
    publish: Callable[[Score, str], None] = publish,
    is_active: Callable[[str], bool] = tokens.is_active,
) -> flask.Flask:
    app = flask.Flask(__name__)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    if not tokens.check_is_on():
        app.logger.warning(
            "tokens are NOT checked (JWT_VALIDATION_MODE=off, or no WSO2_IS_INTERNAL_URL): "
            "for development only"
        )

    @app.get("/health")
    @app.get("/api/health")
    def health() -> Answer:
        return {
            "status": "ok",
            "service": "api-gateway",
            "tokens": "checked" if tokens.check_is_on() else "not checked",
        }, 200

    @app.post("/api/scores")
    def take_score() -> Answer:
        if refusal := _refuse_without_token(is_active):
            return refusal
        try:
            score = Score.of(flask.request.get_json(silent=True))
        except BadScore as mistake:
            return {"error": str(mistake)}, 400
        message_id = str(uuid.uuid4())
        try:
            publish(score, message_id)
        except NotDelivered as error:
            app.logger.error("not delivered: %s", error)  # noqa: TRY400 - expected, no traceback
            return {"error": "the score could not be passed on; send it again"}, 503
        return {"accepted": message_id}, 202

    return app


def _refuse_without_token(is_active: Callable[[str], bool]) -> Answer | None:
    if not tokens.check_is_on():
        return None
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return {"error": "an access token is needed: Authorization: Bearer ..."}, 401
    try:
        return (
            None if is_active(token.strip()) else ({"error": "the access token is not valid"}, 401)
        )
    except (OSError, ValueError) as error:
        log = flask.current_app.logger
        log.error("the Identity Server gave no usable answer: %s", error)  # noqa: TRY400
        return {"error": "tokens cannot be checked at the moment"}, 503


def serve() -> flask.Flask:
    """Return the gateway, for gunicorn."""
    return create_gateway()
