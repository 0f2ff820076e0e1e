"""The demos: real releases on a cluster made for them, under counted load."""
