"""The API server of the local cluster: HTTPS in front of the model, its controllers, its log."""
