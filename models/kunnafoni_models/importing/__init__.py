"""Checkpoints of other projects become models of the user's catalog. Serving never imports this package."""
