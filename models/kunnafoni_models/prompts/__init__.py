"""Texts to prompts and tokens to texts, for decoder-only and for encoder-decoder models."""
