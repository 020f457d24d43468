"""Batch jobs: a store that survives, and a runner that works through it. It knows no models and no text rules."""
