"""`python -m kunnafoni` is the `kunnafoni` command; here it begins."""

import signal
import sys


def main() -> None:
    """Run the command; a server that is still starting holds SIGHUP back until `app/lifecycle.py` takes it."""
    if "serve" in sys.argv[1:2]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # before the imports: it kills by default
    from kunnafoni.cli import main as command  # noqa: PLC0415

    command()


if __name__ == "__main__":
    main()
