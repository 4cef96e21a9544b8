"""The darts server on the host: python run.py

FLASK_HOST (127.0.0.1), FLASK_PORT (5000) and FLASK_DEBUG (off) say where and how it serves.
"""

import os

from dotenv import load_dotenv


def main() -> None:
    load_dotenv()  # the nearest .env from this folder upwards; existing variables stay
    from darts_sample.app import create_app
    from darts_sample.consumer import start_consumer

    host = os.environ.get("FLASK_HOST") or "127.0.0.1"
    port = int(os.environ.get("FLASK_PORT") or "5000")
    debug = os.environ.get("FLASK_DEBUG", "").lower() in {"1", "true", "yes", "on"}

    app = create_app()
    # With FLASK_DEBUG this runs twice: the reloader's parent watches files, its child serves.
    if not debug or os.environ.get("WERKZEUG_RUN_MAIN") == "true":
        start_consumer(app)
        print(f"scores are kept in {app.extensions['board'].kind}", flush=True)
    app.run(host=host, port=port, debug=debug)


if __name__ == "__main__":
    main()
