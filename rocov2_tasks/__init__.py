"""How the dataset is used: shapes, streams and measures over the built repository. It imports the core, `rocov2`.

A module here is a command, or a name that the documentation gives. A folder is what stands behind them: stream, shaping,
scoring, formats, explorer.
"""
