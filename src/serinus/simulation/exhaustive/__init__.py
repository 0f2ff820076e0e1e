"""All schedules of small scopes: told, not sampled."""
