"""Files to texts and results to files. It knows no gRPC and no models."""
