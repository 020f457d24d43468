"""Finds what looks wrong in a translation or a summary: functions over strings that know no models and no requests.

`registry` runs the checks of a translation, one module per kind of finding; `faithfulness` and `generated_summary`
check summaries. `mentions/` and `names/` find numbers, units, dates, repetitions and names for them.
"""
