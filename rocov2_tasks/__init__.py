"""How the dataset is used: shapes and streams for training, over the built repository. It imports the core, `rocov2`.

pretraining has the stream, stream what it is made of.

views has the shapes that trainers ask for, subsets chooses rows and splits by article; under both lie shapes, mapping
(columns and rows without decoding), prompts and vocabulary. export writes a repository for other tools, into a folder that
appears whole, in one of the formats.

metrics has the measures of ImageCLEFmedical Caption, score the command that applies them to a file, which submission reads,
baseline the command that fits small detectors over features and scores them; references loads texts. conversion reads what a
repository states of itself.

explore shows the dataset in a browser: filters say what is searched for, also as code, explorer is what the page is made of.
"""
