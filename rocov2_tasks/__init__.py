"""How the dataset is used: shapes and streams for training, over the built repository. It imports the core, `rocov2`.

pretraining has the stream; under it lie layout (where the rows are), order (which comes when), world (whose it is), reading
(row groups, from a folder or the Hub), loading (read-ahead within a number of bytes) and decoding (JPEG to pixels).

views has the shapes that trainers ask for, subsets chooses rows and splits by article; under both lie shapes, mapping
(columns and rows without decoding), prompts and vocabulary. export writes a repository for other tools, into a folder that
appears whole: webdataset, llamafactory, vlmevalkit.

metrics has the measures of ImageCLEFmedical Caption, score the command that applies them to a file, which submission reads,
baseline the command that fits small detectors over features and scores them; commands is how commands end.

explore shows the dataset in a browser; under it lie filters (what is searched for, and as code), searching (rows and images
by DuckDB and by place), cards (HTML) and space (the same for the Hub).
"""
