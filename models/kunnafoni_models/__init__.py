"""Local transformer models behind one protocol: the catalog, the backends, and the embedded model's files.

This package knows tokens, weights and model files. It knows nothing of gRPC, requests, articles or batching, and
never imports `kunnafoni`.
"""
