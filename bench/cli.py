"""The `bench` command: every verb in one place, the work imported when its verb is called."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.errors import Failed, Refused, Stopped, near

WORDS = "settings as NAME=VALUE, for example control=melqcd control.bound=2 (see `bench list`)"


def main(argv: list[str] | None = None) -> None:
    from bench.ranks import spoken_by_one

    given = sys.argv[1:] if argv is None else argv
    parser, verbs = _parser()
    try:
        if not given:
            parser.print_help(sys.stderr)
            sys.exit(2)
        if not given[0].startswith("-") and given[0] not in verbs:
            raise Refused(f"{given[0]}: no such verb.{near(given[0], verbs)}")
        args = _read(parser, verbs, given)
        with spoken_by_one():
            args.do(args)
    except Refused as error:
        _end(str(error), 2)
    except Failed as error:
        _end(str(error), 1)
    except (Stopped, KeyboardInterrupt):
        _end("stopped; the same command goes on from what was saved", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if not error.filename:
            raise
        _end(f"{error.filename}: {error.strerror}", 1)


def _read(parser: argparse.ArgumentParser, verbs: Mapping[str, argparse.ArgumentParser], given: list[str]) -> argparse.Namespace:
    """The command line; words may stand before and behind options."""
    own = verbs.get(given[0])
    if own is None or any(a.nargs in (argparse.PARSER, argparse.REMAINDER) for a in own._actions):
        return parser.parse_args(given)
    return own.parse_intermixed_args(given[1:], argparse.Namespace(verb=given[0]))


def _end(message: str, status: int) -> None:
    print(f"bench: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


def _parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """What reads a command line, and the verbs it knows."""
    parser = argparse.ArgumentParser("bench", description="Compare control signals for video-to-audio generation.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, do, about: str, *, words: bool = True) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=about, description=about)
        sub.set_defaults(do=do)
        if words:
            sub.add_argument("words", nargs="*", help=WORDS)
        return sub

    from bench import doubt, verbs_about, verbs_generate, verbs_run, verbs_weights
    from bench import verbs as many
    from bench.jobs import verbs as jobs

    for each in (verbs_run, verbs_about, many, jobs, doubt, verbs_generate, verbs_weights):
        each.add(verb)
    return parser, verbs.choices


def open_store(machine, *, dry: bool = False, deferred: bool = False):
    from bench.store import Store
    from bench.weights import SHIPPED

    shipped = (SHIPPED,) if machine.shipped == "on" else ()
    store = Store(Path(machine.results) / "cache", machine.context(), dry=dry, deferred=deferred, shipped=shipped)
    if not dry:
        store.forget_failures()  # a new command tries again what failed in an earlier one
    return store
