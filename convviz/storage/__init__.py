"""Files: durable writes, atomic folders, checksums, and bounded reads of untrusted files."""
