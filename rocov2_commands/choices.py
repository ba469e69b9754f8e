"""Choices of the command lines, known without importing the dataset's facts: `--help` and a wrong option answer at once.

A test compares each list with the one that it repeats.
"""

SPLITS = ("train", "validation", "test")
"""Keys of `rocov2.SPLITS`."""

CONFIGS = ("default", "commercial", "apart", "small", "mini")
"""Configurations with images."""

TASKS = ("concepts", "captions")
"""Keys of `rocov2_tasks.scoring.submission.SECOND_COLUMN`."""
