"""What both wings use, and knows no dataset. This file imports nothing: a worker process imports single modules of it."""
