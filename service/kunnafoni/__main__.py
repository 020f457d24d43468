"""`python -m kunnafoni` is the `kunnafoni` command; here it begins."""

import signal
import sys

from kunnafoni_models.extras import MissingExtraError, needs_extra


def main() -> None:
    """Run the command; a server that is still starting holds SIGHUP back until `app/lifecycle.py` takes it."""
    if "serve" in sys.argv[1:2]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # before the imports: it kills by default
    try:
        with needs_extra("cli", "the command line"):
            from kunnafoni.cli import main as command  # noqa: PLC0415
    except MissingExtraError as error:
        raise SystemExit(f"kunnafoni: {error}") from error
    command()


if __name__ == "__main__":
    main()
