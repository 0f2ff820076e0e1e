"""Routers as objects of a cluster: slid in front of a Service, kept there, taken out again."""
