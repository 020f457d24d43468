"""`python -m kunnafoni` is the `kunnafoni` command."""

from kunnafoni.cli import main

main()
