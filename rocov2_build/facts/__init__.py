"""The numbers of a built repository."""
