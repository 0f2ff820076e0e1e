"""The node agent: pods as processes of this machine. It is a client of the API like any other."""
