"""Contents into another language: content -> sentences -> routes -> models -> content. It knows no gRPC."""
