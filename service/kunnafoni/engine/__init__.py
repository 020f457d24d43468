"""Runs models for many callers: forms batches, loads and unloads. Knows no gRPC and no language."""
