"""Run folders on disks and in object stores."""
