"""What looks wrong in a translation or a summary: functions over strings that know no models and no requests."""
