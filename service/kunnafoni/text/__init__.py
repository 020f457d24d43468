"""Text rules: segments, orthography, language identification, warnings.

Functions over strings. Nothing here runs a transformer model, waits, or knows of requests.
"""
