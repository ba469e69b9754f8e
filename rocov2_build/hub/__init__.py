"""The Hub: requests, and which files go up."""
