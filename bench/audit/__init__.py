"""Doubt about printed tables: what a column of percentages says about the number of clips behind it, and which bolds it carries."""
