"""From bytes to calls and back: HTTPS, who may call, what a path names, how an answer is said."""
