"""How the dataset is made: from the raw release to a verified Parquet repository.

A module here is a command. A folder is what is behind them, named after the step of the data: raw -> shards -> worker
(run by engine) -> facts -> card -> checks -> hub.
"""

FORMAT_VERSION = 6
"""Version of the layout that a build writes; part of every plan, so an older unfinished build is never gone on with."""
