"""What the server says about itself: version, discovery, OpenAPI."""
