"""The API gateway: takes scores over HTTP and publishes them to RabbitMQ."""

import os
import sys
import time

import pika
from flask import Flask, jsonify

app = Flask(__name__)


def connect() -> pika.BlockingConnection:
    """Connect once, at the start. Without a broker the process ends, and Docker starts it again."""
    credentials = pika.PlainCredentials(
        os.environ.get("RABBITMQ_USER", "guest"), os.environ.get("RABBITMQ_PASSWORD", "guest")
    )
    parameters = pika.ConnectionParameters(
        os.environ.get("RABBITMQ_HOST", "localhost"),
        int(os.environ.get("RABBITMQ_PORT", "5672")),
        credentials=credentials,
    )
    try:
        return pika.BlockingConnection(parameters)
    except pika.exceptions.AMQPError as error:
        sys.exit(f"cannot reach RabbitMQ: {type(error).__name__}")


@app.get("/api/v1/status")
@app.get("/api/")
def status():
    return jsonify(status="ok")


if __name__ == "__main__":
    connection = connect()
    time.sleep(float(os.environ.get("GATEWAY_START_SECONDS", "1")))
    app.run(host="0.0.0.0", port=8080)
