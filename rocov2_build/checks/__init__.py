"""The rules of a servable repository, each beside the code that looks whether it holds. `check` calls them all.

`rules` lists them with what each is good for; `violations` says what is found. The others say what they look at: names and
footers (`files`), rows, images, the card, the records, and what the viewer makes of it (`viewer`, `statistics`).
"""
