"""State of networks and of the process, saved and restored; locks; execution modes."""
