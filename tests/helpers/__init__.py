"""Helpers of several test files; tests import them as `from helpers.<module> import …`."""
