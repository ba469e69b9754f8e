"""How the dataset is used: shapes, streams and measures over the built repository. It imports the core, `rocov2`.

A module here is a command, or a name that the documentation gives. The folders contain what these modules are made of:
stream, shaping, scoring, formats, explorer.
"""
