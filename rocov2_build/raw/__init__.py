"""The raw release, read and judged."""
