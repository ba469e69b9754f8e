"""What is scored, what it is held against, and the detectors of the baseline."""
