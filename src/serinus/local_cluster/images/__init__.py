"""What plays the container images of pods: a catalogue of commands, and a small web server."""
