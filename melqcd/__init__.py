"""The method of the paper as a library, usable without the harness."""
