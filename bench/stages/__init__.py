"""The code that makes each artefact: functions `make(out, part, ctx, *parts)`, named in bench/artefacts.py."""
