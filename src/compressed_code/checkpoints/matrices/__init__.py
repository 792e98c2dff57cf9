"""One matrix, its rows decoded on demand, however its numbers are packed."""
