"""What a release is, and what to do next. Pure: `decide(observation, now) -> Decision`."""
