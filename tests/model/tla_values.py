"""Values as TLC prints them and as ITF has them, brought to one form to be compared.

Numbers, truth values and strings are themselves, and so is the name of one of a sort; a set is a
frozenset, a sequence a tuple; a record, and a map, a frozenset of pairs, but a tuple where its
keys are 1, 2, 3...: TLA+ does not tell these apart from sequences.
"""

import re
from collections.abc import Iterator
from typing import Any

TOKEN = re.compile(r'<<|>>|\|->|:>|@@|[\[\]{}(),]|"[^"]*"|-?\w+')


def mapping(pairs: list[tuple[Any, Any]]) -> Any:
    """The form of a function."""
    values = dict(pairs)
    if [*values] and all(type(key) is int for key in values):
        keys = range(1, len(values) + 1)
        if sorted(values) == [*keys]:
            return tuple(values[key] for key in keys)
    return frozenset(pairs) if pairs else ()


def of_itf(value: Any) -> Any:
    """The form of a value in ITF."""
    match value:
        case {"#bigint": digits}:
            return int(digits)
        case {"#set": elements}:
            return frozenset(map(of_itf, elements))
        case {"#map": pairs}:
            return mapping([(of_itf(key), of_itf(item)) for key, item in pairs])
        case {"tag": "None"}:
            return "None"
        case {"tag": "Some", "value": inner}:
            return of_itf(inner)
        case dict():
            return mapping([(name, of_itf(part)) for name, part in value.items()])
        case list():
            return tuple(map(of_itf, value))
    return value


def states_of_dump(text: str) -> Iterator[dict[str, Any]]:
    """The states that TLC's -dump has written: each variable by its name."""
    for part in re.split(r"^State \d+:\n", text, flags=re.MULTILINE)[1:]:
        lines = re.split(r"^/\\ ", part.strip(), flags=re.MULTILINE)
        assignments = (line.split(" = ", 1) for line in lines if line.strip())
        yield {name: of_tla(value) for name, value in assignments}


def of_tla(text: str) -> Any:
    """The form of a value that TLC prints."""
    tokens = TOKEN.findall(text)[::-1]
    value = _value(tokens)
    assert not tokens, text
    return value


def _value(tokens: list[str]) -> Any:
    token = tokens.pop()
    if token == "<<":
        return tuple(_items(tokens, ">>", _value))
    if token == "{":
        return frozenset(_items(tokens, "}", _value))
    if token in "[(":
        return mapping(_items(tokens, "]" if token == "[" else ")", _pair))
    if token in ("TRUE", "FALSE"):
        return token == "TRUE"
    return int(token) if re.fullmatch(r"-?\d+", token) else token.strip('"')


def _pair(tokens: list[str]) -> tuple[Any, Any]:
    key = _value(tokens)
    assert tokens.pop() in ("|->", ":>")
    return key, _value(tokens)


def _items(tokens: list[str], closing: str, item: Any) -> list[Any]:
    found = []
    while tokens[-1] != closing:
        found.append(item(tokens))
        if tokens[-1] in (",", "@@"):
            tokens.pop()
    tokens.pop()
    return found
