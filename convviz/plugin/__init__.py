"""The plugin contract, the discovery of plugins and the registry."""
