"""What the operator takes: time, pods, requests, CPU and memory, beside its aims and its peers."""
