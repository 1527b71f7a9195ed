"""Decoding and preprocessing of photos, and maps back to their original pixels."""
