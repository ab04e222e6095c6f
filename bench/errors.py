"""What a reader of the terminal is told: one line, what was wrong and what would be right."""

LISTED = 40  # names at most in one message


class Refused(ValueError):
    """A request that cannot be met as it stands (exit status 2): a setting, a path, a file that is not what it should be."""


class Failed(RuntimeError):
    """Something broke while a sound request was carried out (exit status 1)."""


class Stopped(RuntimeError):
    """Asked to stop (Ctrl-C, SIGTERM): state is saved, the same command goes on (exit status 130)."""


def near(word: str, known) -> str:
    """` Did you mean 'x'? Known: ...` for the end of a message about an unknown `word`; many that are known are not listed."""
    from difflib import get_close_matches

    known = sorted(known)
    if not known:
        return " There is none yet."
    hit = get_close_matches(word, known, n=1, cutoff=0.5)
    return (f" Did you mean {hit[0]!r}?" if hit else "") + (f" Known: {', '.join(known)}" if len(known) <= LISTED else "")
