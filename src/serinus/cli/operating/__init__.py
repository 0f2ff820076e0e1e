"""The verbs around the operator: install, uninstall, and the controller process itself."""
