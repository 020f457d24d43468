"""A job on a Ray cluster instead of a server."""
