"""Batch jobs: a store that survives, a runner that works through it, files in and out. No models, no text rules."""
