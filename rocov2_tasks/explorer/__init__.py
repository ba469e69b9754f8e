"""The page behind `rocov2_tasks.explore`, in the order of the data.

words         words of a text, as SQL and as Python
filters       a filter, as SQL and as Python
collection    rows of a filter by DuckDB
images        JPEGs by row number
page          the widgets, and what they show
server        the server, which lets the browser load nothing from other hosts
cards         HTML of an image
style         CSS and JavaScript
address       the query of an address, as a link to a view
space         all of it as a Space of the Hub
packages      the packages that have to be installed
"""
