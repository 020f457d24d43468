"""Runs models for many requests: queues, forms batches, loads and unloads. Knows no gRPC and no language."""
