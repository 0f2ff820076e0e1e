"""Beside each Envoy: a plan and the endpoints become its files, and it is kept alive."""
