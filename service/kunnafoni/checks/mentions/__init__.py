"""What one text mentions: numbers, units, dates, repetitions. Nothing here compares two texts."""
