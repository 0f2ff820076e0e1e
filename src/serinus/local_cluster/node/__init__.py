"""The node agent: pods as processes of this machine. To the API server it is a client like any other."""
