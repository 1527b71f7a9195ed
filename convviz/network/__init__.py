"""`Model`: a network with its sessions, layer traces, batch behavior, gradients and inputs."""
