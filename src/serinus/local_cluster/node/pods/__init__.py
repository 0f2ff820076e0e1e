"""One pod: from its manifest to processes, and from processes to its status."""
