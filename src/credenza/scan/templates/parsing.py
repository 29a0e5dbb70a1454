"""A template's text to Jinja's own syntax tree.

Jinja's `Parser` builds a tree of nodes and runs nothing: names, filters and tests are looked up
when a template is compiled, which is never done here. It is called by itself, because
`Environment.parse` compiles a line of Python to decorate the traceback of a syntax error.
"""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import ExprStmtExtension, Extension, LoopControlExtension
from jinja2.parser import Parser

LONGEST: Final = 1 << 17
"""In characters. The longest honest one that was met has 18,000."""


class UnreadableError(Exception):
    """A template is not Jinja, or not one that ends."""


class _Generation(Extension):
    """``{% generation %}`` of transformers, which marks what the assistant says."""

    tags = {"generation"}  # noqa: RUF012  Jinja's extensions declare it so

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def parsed(text: str) -> nodes.Template:
    """The tree of a template, as transformers and llama-cpp-python would parse it.

    Raises `UnreadableError` where it is too long, nests too deep, or is not Jinja.
    """
    if len(text) > LONGEST:
        raise UnreadableError(f"a template of {len(text)} characters, over {LONGEST}")
    environment = Environment(  # noqa: S701  nothing is rendered
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_Generation, LoopControlExtension, ExprStmtExtension],
    )
    try:
        return Parser(environment, text).parse()
    except TemplateSyntaxError as e:
        raise UnreadableError(f"not Jinja in line {e.lineno}: {e.message}"[:200]) from e
    except (ValueError, OverflowError, SyntaxError) as e:  # a literal that is no number
        raise UnreadableError(f"not Jinja: {e}"[:200]) from e
    except RecursionError as e:
        raise UnreadableError("a template nests too deep to be read") from e
