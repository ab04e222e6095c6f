"""`bench` as it is called from a shell."""

from bench.cli import main


def status(*words: str) -> int:
    """The exit status of `bench WORDS`."""
    try:
        main(list(words))
    except SystemExit as end:
        return int(end.code or 0)
    return 0
