"""The service put together: from settings to models, services and listeners. It knows no gRPC and no messages."""
