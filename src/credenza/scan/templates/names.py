"""What a template may name, and what no honest one names.

The lists are of what Jinja, transformers and llama.cpp's own engine offer to templates; what is
not on them has been judged by nobody.
"""

from __future__ import annotations

import enum
from typing import Final


class Kind(enum.Enum):
    """How far a name that is looked up on an object leads."""

    PLAIN = "plain"
    PRIVATE = "private"
    ESCAPE = "escape"


_ESCAPES: Final = frozenset(
    ("mro", "func_globals", "func_code", "func_closure", "func_defaults", "im_func", "im_self")
    + ("im_class", "gi_frame", "gi_code", "gi_yieldfrom", "cr_frame", "cr_code", "cr_await")
    + ("ag_frame", "ag_code", "ag_await", "f_globals", "f_builtins", "f_locals", "f_back")
    + ("f_code", "tb_frame", "tb_next", "co_code", "co_consts", "gr_frame")
)
"""Without underscores in front; `jinja2.sandbox` knows most of them as unsafe."""


def kind_of(name: str) -> Kind:
    """How far an attribute or item of that name leads.

    Every object has names with two underscores, which lead to its class, and so to everything;
    Jinja's sandbox refuses each name that begins with one.
    """
    if name.startswith("__") or "__" in name.strip("_") and name.startswith("_"):
        return Kind.ESCAPE
    if name in _ESCAPES:
        return Kind.ESCAPE
    return Kind.PRIVATE if name.startswith("_") and name != "_" else Kind.PLAIN


FUNCTIONS: Final = frozenset(
    ("raise_exception", "strftime_now", "namespace", "range", "dict", "cycler", "joiner")
    + ("caller", "loop", "super", "len", "int", "str", "float", "bool", "list", "tuple", "set")
    + ("zip", "enumerate", "min", "max", "sum", "abs", "round", "sorted", "reversed", "any", "all")
    + ("print", "repr", "raise", "warn", "now", "today", "strftime", "tojson", "get_current_date")
    + ("isinstance", "_", "gettext", "ngettext", "map", "filter")
)
"""That a template may call though it does not define them: none reaches out of its arguments."""

METHODS: Final = frozenset(
    # of strings
    ("strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "partition", "rpartition")
    + ("startswith", "endswith", "replace", "removeprefix", "removesuffix", "upper", "lower")
    + ("title", "capitalize", "casefold", "swapcase", "join", "find", "rfind", "rindex", "count")
    + ("center", "ljust", "rjust", "zfill", "expandtabs", "isdigit", "isalpha", "isalnum")
    + ("isspace", "isupper", "islower", "istitle", "isnumeric", "isdecimal", "isidentifier")
    + ("isascii", "isprintable", "encode", "decode", "translate", "maketrans", "index", "hex")
    # of lists, dictionaries, sets
    + ("append", "extend", "insert", "pop", "remove", "reverse", "sort", "copy", "clear", "add")
    + ("items", "keys", "values", "get", "update", "setdefault", "fromkeys", "popitem")
    + ("union", "difference", "intersection", "discard", "issubset", "issuperset")
    # of dates, of loops, of Jinja's own helpers
    + ("strftime", "isoformat", "date", "time", "weekday", "timestamp", "cycle", "changed")
    + ("next", "reset", "tojson", "as_integer_ratio", "is_integer", "bit_length")
)
"""That a template may call on whatever it has. ``format`` and ``format_map`` are judged by what
they format."""

FORMATS: Final = frozenset(("format", "format_map"))

DANGEROUS: Final = frozenset(
    ("popen", "Popen", "system", "exec", "eval", "compile", "open", "import_module", "getattr")
    + ("setattr", "globals", "locals", "vars", "load_module", "exec_module", "get_data", "spawn")
    + ("spawnl", "spawnv", "execv", "execve", "execl", "fork", "check_output", "check_call")
    + ("run_code", "run_module", "run_path", "run_string", "runcode", "breakpoint", "input")
    + ("import_string", "from_object", "from_pyfile", "render_template_string", "subclasses")
    + ("getoutput", "getstatusoutput", "posix_spawn", "startfile", "lookup", "CDLL", "loads")
    + ("read_text", "write_text", "read_bytes", "write_bytes", "unlink", "rmtree", "urlopen")
)
"""That start programs, open files or run text as code."""

GLOBALS: Final = frozenset(("lipsum", "self", "cycler", "joiner", "namespace"))
"""Objects that Jinja gives to every template, from which escapes set out."""

FRAMEWORK: Final = frozenset(
    ("request", "session", "config", "g", "application", "app", "url_for", "handler", "hostvars")
    + ("get_flashed_messages", "os", "sys", "subprocess", "builtins", "importlib", "lipsum")
)
"""Objects of Flask, Tornado and Ansible, Python's own modules, and one of Jinja's that is never of
use."""

HELPERS: Final = {
    "cycler": frozenset(("next", "reset", "current")),
    "joiner": frozenset[str](),
    "namespace": frozenset[str](),
}
"""The globals that an honest template may call, and the attributes of the class that it may use."""

FILTERS: Final = frozenset(
    ("abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e")
    + ("escape", "filesizeformat", "first", "float", "forceescape", "format", "from_json")
    + ("fromjson", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower")
    + ("map", "max", "min", "pprint", "random", "reject", "rejectattr", "replace", "reverse")
    + ("round", "safe", "select", "selectattr", "slice", "sort", "string", "striptags", "sum")
    + ("title", "tojson", "to_json", "trim", "truncate", "unique", "upper", "urlencode", "urlize")
    + ("wordcount", "wordwrap", "xmlattr", "split", "strip", "startswith", "endswith", "keys")
    + ("values", "bool", "equalto", "strftime", "lstrip", "rstrip")
)
"""Jinja's own, and those that renderers of chat templates add."""

BY_ATTRIBUTE: Final = frozenset(("map", "sort", "groupby", "sum", "min", "max", "unique"))
"""Filters that take the name of an attribute as their keyword ``attribute``."""

ATTRIBUTE_FIRST: Final = frozenset(("groupby", "sum", "selectattr", "rejectattr"))
"""Filters that take it as their first argument."""

LARGEST: Final = 100_000
"""What `jinja2.sandbox` allows a range (``MAX_RANGE``); here also how often text is repeated."""
