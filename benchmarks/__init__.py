"""Measurements side by side: SyStock against a bare script on the same files, and against its own targets."""
