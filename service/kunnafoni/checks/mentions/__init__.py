"""Finds the numbers, units, dates and repetitions of a text, and compares their values."""
