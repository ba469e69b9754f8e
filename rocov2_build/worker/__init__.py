"""All that a worker process imports: no pandas, no datasets, no click."""
