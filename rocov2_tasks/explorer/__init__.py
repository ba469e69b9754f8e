"""The page behind `rocov2_tasks.explore`, in the order of the data.

words             words of a text, as SQL and as Python
filters           a filter, as SQL and as Python
images            JPEGs by row number
tables            rows without images, and concepts, in DuckDB
counting          rows of a filter, and how many rows each choice would give
configurations    rows and pictures of each configuration
collection        all of it: a repository to search
address           the query of an address, as a link to a view
searching         what an address shows
cards             HTML of rows
form              HTML of the filters
page              HTML of the page
pictures          JPEGs for the browser
server            the server; style.css and script.js are its files
space             all of it as a Space of the Hub
packages          the packages that have to be installed
"""

HOST, PORT = "127.0.0.1", 7860
"""Where the page is served by default; the port is that of Spaces, too."""
