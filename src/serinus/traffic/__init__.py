"""How traffic should be split between two revisions, and how each router says it. Pure."""
