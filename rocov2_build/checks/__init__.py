"""The rules of a servable repository, each beside the code that checks it. `check` calls all steps.

`rules` is the table of all rules, `violations` collects and words what breaks them. Each other module is a step: it takes
what it needs of the repository and of earlier steps as arguments, and returns what later steps need.
"""
