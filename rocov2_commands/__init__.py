"""The commands, above both wings: `rocov2 VERB`.

One module for each verb: it parses the command line, calls a wing, reports, and sets the exit code.
"""
