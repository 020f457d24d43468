"""Functions over strings: segments, masking, letter case, orthography, language identification.

Nothing here runs a transformer model or knows requests.
"""
