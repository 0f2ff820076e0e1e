"""What brings serinus into a cluster, and out of it again: made from `api` and the registries."""
