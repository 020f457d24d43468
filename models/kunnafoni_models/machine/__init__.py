"""The processor cores and the memory that this process may use."""
