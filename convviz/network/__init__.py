"""The model that explainers work on: sessions, traces, behavior, gradients and inputs."""
