"""The guarded way to the web: only to the address that was checked, and no more of an answer than was asked for."""
