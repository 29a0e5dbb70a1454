"""Statistics of every tensor in one pass."""
