"""What the page of `rocov2_tasks.explore` is made of.

filters says what is asked for; collection finds the rows by DuckDB and reads images by their offset; page has the fields and
what they show, cards the HTML of an image, style the CSS, address the link to a view. space writes all of it as a Space of
the Hub; packages says what has to be installed.
"""
