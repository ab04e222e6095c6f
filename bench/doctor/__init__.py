"""`bench doctor`: whether a run or a sweep can begin here, found out in seconds: headers of weights, counts, versions; nothing is loaded."""

from bench.doctor.examine import Line, examine, print_lines

__all__ = ["Line", "examine", "print_lines"]
