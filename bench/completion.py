"""Shell completion: `eval "$(bench completion)"` completes verbs, groups, component names and settings."""

from __future__ import annotations

from dataclasses import fields

from bench.components import groups

SNIPPET = """\
_bench_words() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(bench completion "${COMP_LINE%% *}" "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
  [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. ]] && compopt -o nospace
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
complete -F _bench_words bench"""


def candidates(word: str) -> list[str]:
    """What `word` can become: `con` -> control=, `control=m` -> control=melqcd, `control.b` -> the default control's settings."""
    known = groups()
    name, equals, _ = word.partition("=")
    if equals:
        return [f"{name}={choice}" for choice in known[name].names()] if name in known else []
    head, dot, _ = word.partition(".")
    if dot and head in known and not known[head].many:
        cls = known[head].find(str(known[head].default))
        return [f"{head}.{f.name}=" for f in fields(cls) if f.init]
    return [f"{name}=" for name in known if name.startswith(word)]
