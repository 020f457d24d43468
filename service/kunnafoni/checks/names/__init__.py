"""Finds the names of a text, and tells whether another text has them in any form, spelling or language."""
