"""What pages look like: functions that return Dash components, given everything they show."""
