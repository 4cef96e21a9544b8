"""The darts application: serves the boards, reads scores from RabbitMQ."""

import logging
import os
import sys
import threading
import time
import traceback

from dotenv import load_dotenv
from flask import Flask, redirect, url_for

load_dotenv()

START_SECONDS = float(os.environ.get("APP_START_SECONDS", "3"))
"""What the imports of the real one (speech, database models, socket server) take."""

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY", "dev-secret-key-change-in-production")


def init_speech() -> None:
    """Text to speech is optional; without the library the log has a traceback at each start."""
    try:
        raise OSError("libespeak.so.1: cannot open shared object file: No such file or directory")
    except OSError:
        traceback.print_exc()


def consume() -> None:
    """Read scores from RabbitMQ, again and again."""
    import pika

    logging.getLogger("pika").setLevel(logging.CRITICAL)
    host = os.environ.get("RABBITMQ_HOST", "localhost")
    port = int(os.environ.get("RABBITMQ_PORT", "5672"))
    user = os.environ.get("RABBITMQ_USER", "guest")
    password = os.environ.get("RABBITMQ_PASSWORD", "guest")
    while True:
        try:
            credentials = pika.PlainCredentials(user, password)
            connection = pika.BlockingConnection(
                pika.ConnectionParameters(host, port, credentials=credentials)
            )
            connection.channel().start_consuming()
        except Exception as error:
            print(f"RabbitMQ: {type(error).__name__}, trying again", file=sys.stderr)
        time.sleep(5)


@app.get("/")
def index():
    return redirect(url_for("login"))


@app.get("/login")
def login():
    return "<h1>Let's play darts</h1>"


def main() -> None:
    host = os.environ.get("FLASK_HOST", "0.0.0.0")
    port = int(os.environ.get("FLASK_PORT", "5000"))
    debug = os.environ.get("FLASK_DEBUG", "True").lower() in ("true", "1", "t")
    if not debug or os.environ.get("WERKZEUG_RUN_MAIN") == "true":
        init_speech()
        threading.Thread(target=consume, daemon=True).start()
    time.sleep(START_SECONDS)
    app.run(host=host, port=port, debug=debug)


if __name__ == "__main__":
    main()
