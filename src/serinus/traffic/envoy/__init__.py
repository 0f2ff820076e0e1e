"""What an Envoy has to be told so that it splits as a plan says. Pure: a plan in, JSON out."""
