"""What is known of each model: the built-in entries (`*.toml`), and the code that reads, checks and writes entries."""
