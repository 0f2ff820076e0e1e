"""Custom resources: definitions, structural schemas, pruning, defaults and checks."""
