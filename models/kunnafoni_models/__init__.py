"""Local transformer models behind one protocol: the catalog, the backends, and the embedded model's files.

`backend` is the protocol, and `registry` lists and loads the models. This package knows tokens, weights and model
files. It knows nothing of gRPC, requests or articles, and never imports `kunnafoni`.
"""
