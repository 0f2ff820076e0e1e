"""The web server that plays nginx: it says which image, version and pod answered.

It starts in place of an image, many at a time, so it imports the standard library alone.
"""
