"""Saving and restoring the state of networks and of the process; locks; execution modes."""
