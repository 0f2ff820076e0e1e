"""What is removed because something else is gone: owners, namespaces, nodes."""
