"""How the dataset is made: from the raw release to a verified Parquet repository. The modules follow the data:

releases, download -> archives, tables, rows -> plan, tasks -> images, shards (run by engine with workers, or by cluster; kept
by building) -> facts (columns, overlaps, similar; statistics makes tables of them) -> card, croissant -> check (by what is in
checks); convert is the whole way in one function.
"""

FORMAT_VERSION = 4
"""Version of the layout that a build writes; part of every plan, so an older unfinished build is never gone on with."""
