"""The report as a folder that a browser opens: one page, a page for blind votes, and the sounds and pictures that they show."""
