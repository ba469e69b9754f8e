"""What the page of `rocov2_tasks.explore` is made of.

searching finds rows by DuckDB and reads images by their place, for what `rocov2_tasks.filters` asks; page has the fields and
what they show, cards the HTML of an image, looks the style, address the link to a view. space writes all of it as a Space of
the Hub; extra says what has to be installed.
"""
