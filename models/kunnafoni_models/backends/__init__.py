"""One module per runtime, `<name>_backend.py`, whose `load` makes a `Backend` of a catalog entry."""
