"""Which row goes into which file: decided in the parent process."""
