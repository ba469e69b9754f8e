"""Runs the tasks, on this machine or on a cluster, and keeps what is unfinished."""
