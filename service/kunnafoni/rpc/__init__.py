"""The gRPC side of the server: messages to values, values to messages, errors to statuses. No language, no models."""
