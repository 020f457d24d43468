"""Kunnafoni: summarise news and translate it between English, French and Bambara with local models."""

__version__ = "0.1.0"
