"""What a template would reach if it were rendered, by walking its tree.

Every expression is given a `Value`. Names are looked at where they are looked up on an object:
after a dot, in brackets, in ``|attr``, ``|map(attribute=…)`` and in the fields of ``format``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from jinja2 import nodes

from credenza.findings import Severity
from credenza.scan.templates import names
from credenza.scan.templates.folding import (
    FILTERS,
    METHODS,
    OPERATORS,
    HugeError,
    concatenated,
    folded,
    item,
    sliced,
)
from credenza.scan.templates.mixing import (
    dictionary,
    doubt,
    eager,
    element,
    fields,
    grown,
    inert,
    is_unsure,
    leaves,
    let_in,
    mixed,
)
from credenza.scan.templates.names import Kind, kind_of
from credenza.scan.templates.parsing import UnreadableError, parsed
from credenza.scan.templates.spelling import spelled
from credenza.scan.templates.values import (
    DATA,
    OPAQUE,
    Value,
    blurred,
    constant,
    joined,
)

_ROUNDS: Final = 4
_MOST_SAID: Final = 64
_MOST_TURNS: Final = 10_000_000
_LAZY: Final = frozenset(("map", "select", "reject", "selectattr", "rejectattr", "batch", "slice"))
_NUMERIC: Final = frozenset(
    (
        *("int", "float", "length", "count", "abs", "round", "wordcount", "find", "rfind"),
        *("index", "startswith", "endswith", "isdigit", "isalpha", "isspace", "isalnum"),
    )
)
"""Filters and methods that give a number, or whether something is so."""
_TAKING: Final = frozenset(
    (
        *("split", "rsplit", "splitlines", "strip", "lstrip", "rstrip", "trim", "removeprefix"),
        *("removesuffix", "sort", "unique", "pop", "first", "last"),
    )
)
"""Whose arguments say what to take of a text, and leave nothing of their own in it."""
_GROWING: Final = frozenset(("append", "extend", "insert", "update", "setdefault", "add"))
_HARMLESS: Final = frozenset(("loop", "a macro", "a method", "a generator", "a helper"))
_BOUND: Final = Value(named=frozenset(("a method",)))
_LAZY_VALUE: Final = Value(named=frozenset(("a generator",)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What speaks against a template: a rule of the catalogue, in ``line``, counted from 1."""

    rule: str
    severity: Severity
    what: str
    found: str
    line: int


def judged(text: str, *, chat: bool = True) -> tuple[Remark, ...]:
    """What a template would do that no honest one does, in the order of its lines.

    ``chat`` says that it is a chat template, to which a web framework's objects are never given.

    Raises `UnreadableError` where it cannot be read to its end.
    """
    tree = parsed(text)
    judge = _Judge(chat)
    try:
        for _ in range(_ROUNDS):
            judge.read(tree)
            if not judge.changed:
                break
        else:
            judge.settle()
            judge.read(tree)
        judge.said.clear()
        judge.read(tree)
    except RecursionError as e:
        raise UnreadableError("a template nests too deep to be followed") from e
    return _outermost(judge.said)


def _outermost(said: dict[tuple[str, str, Severity], Remark]) -> tuple[Remark, ...]:
    """Of a chain of attributes, its longest part alone."""
    kept = [
        s
        for s in said.values()
        if not any(
            o is not s
            and (o.rule, o.line) == (s.rule, s.line)
            and o.severity >= s.severity
            and o.found.startswith(s.found)
            for o in said.values()
        )
    ]
    return tuple(sorted(kept, key=lambda s: (s.line, s.rule, s.found)))


@final
class _Judge:
    """One template's names and what they can be, and what has been said of it.

    Names are not told apart by where in the template they stand: each can be all that is ever
    assigned to it. ``.name`` stands for an attribute or key of whatever object.
    """

    def __init__(self, chat: bool) -> None:
        self.chat = chat
        self.said: dict[tuple[str, str, Severity], Remark] = {}
        self.store: dict[str, Value] = {}
        self.changed: set[str] = set()
        self.macros: dict[str, list[nodes.Name]] = {"caller": []}
        self.grown = False
        self.turns = [1]

    def read(self, tree: nodes.Template) -> None:
        """Go over all of it once."""
        self.changed.clear()
        self.statements(tree.body)

    def settle(self) -> None:
        """What still changes after some rounds is built in a loop: call it opaque."""
        for name in self.changed:
            self.store[name] = grown(self.store[name])

    def keep(self, name: str, value: Value) -> None:
        """Note that a name can be that too."""
        old = self.store.get(name)
        new = value if old is None else joined(old, value)
        if new != old:
            self.store[name] = new
            self.changed.add(name)

    # --- statements ---------------------------------------------------------------

    def statements(self, body: list[nodes.Node]) -> None:
        for node in body:
            self.statement(node)

    def statement(self, node: nodes.Node) -> None:
        match node:
            case nodes.Output():
                for part in node.nodes:
                    self.value(part)
            case nodes.For():
                self._for(node)
            case nodes.Assign():
                self._assign(node.target, self.value(node.node))
            case nodes.AssignBlock():
                self._assign(node.target, self._written(node))
            case nodes.Macro() | nodes.CallBlock():
                self._macro(node)
            case nodes.With():
                for target, given in zip(node.targets, node.values, strict=True):
                    self._assign(target, self.value(given))
                self.statements(node.body)
            case nodes.Include() | nodes.Import() | nodes.FromImport() | nodes.Extends():
                self._load(node)
            case _:
                self._children(node)

    def _children(self, node: nodes.Node) -> None:
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Expr):
                self.value(child)
            else:
                self.statement(child)

    def _for(self, node: nodes.For) -> None:
        self._assign(node.target, element(self.value(node.iter)))
        if node.test is not None:
            self.value(node.test)
        turns = self.turns[-1] * self._turns(node.iter)
        if turns > _MOST_TURNS:
            self._huge(node, f"{turns} turns of a loop")
        self.turns.append(turns)
        self.statements(node.body)
        self.turns.pop()
        self.statements(node.else_)

    def _turns(self, over: nodes.Node) -> int:
        """How often a loop goes round, where the template says it; 1 where the data does."""
        if isinstance(over, nodes.Call) and isinstance(over.node, nodes.Name):
            bounds = [self.value(a) for a in over.args]
            if over.node.name == "range" and bounds and all(b.is_foldable for b in bounds):
                sizes = [folded(lambda *a: len(range(*a)), *bounds)]
                return max((c for s in sizes for c in s.constants if isinstance(c, int)), default=1)
        return 1

    def _written(self, node: nodes.AssignBlock) -> Value:
        """What a ``{% set x %}`` block comes to."""
        self.statements(node.body)
        parts = [p for n in node.body if isinstance(n, nodes.Output) for p in n.nodes]
        if not all(isinstance(n, nodes.Output) for n in node.body):
            written = OPAQUE
        else:
            written = folded(concatenated, *map(self.value, parts)) if parts else constant("")
        if node.filter is not None:
            return self._filter(node.filter, written)
        return written

    def _macro(self, node: nodes.Macro | nodes.CallBlock) -> None:
        if isinstance(node, nodes.Macro):
            self.macros[node.name] = node.args
        else:
            self.value(node.call)
            self.macros["caller"] = [*self.macros["caller"], *node.args]
        first = len(node.args) - len(node.defaults)
        for i, argument in enumerate(node.args):
            default = self.value(node.defaults[i - first]) if i >= first else DATA
            self._assign(argument, default)
        self.statements(node.body)

    def _load(self, node: nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends) -> None:
        self.value(node.template)
        what = "it reads another template, which is no part of it"
        found = f"{type(node).__name__.lower()} {spelled(node.template)}"
        self.say("template-load", Severity.HIGH, node, what, found)
        if isinstance(node, nodes.Import):
            self.keep(node.target, DATA)

    def _assign(self, target: nodes.Node, value: Value) -> None:
        if isinstance(target, nodes.Name):
            self.keep(target.name, value)
        elif isinstance(target, nodes.NSRef):
            self._name(target, constant(target.attr), target)
            self.keep(f".{target.attr}", value)
        elif isinstance(target, nodes.Tuple | nodes.List):
            for part in target.items:
                self._assign(part, joined(value, element(value)))

    # --- expressions --------------------------------------------------------------

    def value(self, node: nodes.Node) -> Value:
        """What an expression can be, once all in it has been judged."""
        handler = _EXPRESSIONS.get(type(node))
        if handler is not None:
            return handler(self, node)
        if isinstance(node, nodes.BinExpr):
            return self._binary(node)
        self._children(node)
        return DATA

    def name(self, node: nodes.Name) -> Value:
        if node.name in self.store:
            value = self.store[node.name]
            lists = self.grown and any(isinstance(c, tuple) for c in value.constants)
            return blurred(value) if lists else value
        if node.name in self.macros:
            return Value(named=frozenset(("a macro",)))
        if node.name in names.FRAMEWORK:
            severity = Severity.HIGH if self.chat else Severity.LOW
            what = "it uses an object of a web framework, from which escapes set out"
            self.say("template-object", severity, node, what, spelled(node))
        if node.name in names.FUNCTIONS | names.GLOBALS:
            return Value(named=frozenset((node.name,)))
        return DATA

    def const(self, node: nodes.Const) -> Value:
        found = node.value
        return constant(found) if isinstance(found, str | int | float | None) else DATA

    def template_data(self, node: nodes.TemplateData) -> Value:
        return constant(node.data)

    def sequence(self, node: nodes.List | nodes.Tuple) -> Value:
        items = [self.value(i) for i in node.items]
        if all(i.is_foldable for i in items):
            return folded(lambda *parts: parts, *items) if items else constant(())
        return mixed(*items)

    def mapping(self, node: nodes.Dict) -> Value:
        keys, values = [], []
        for pair in node.items:
            key, value = self.value(pair.key), self.value(pair.value)
            for text in key.strings() if key.is_foldable else ("*",):
                self.keep(f".{text}", value)
            keys.append(key)
            values.append(value)
        return dictionary(keys, values)

    def member(self, node: nodes.Getattr | nodes.Getitem) -> Value:
        return self._member(node, self.value(node.node))

    def _member(self, node: nodes.Getattr | nodes.Getitem, base: Value) -> Value:
        if isinstance(node, nodes.Getattr):
            return self._looked_up(node, base, constant(node.attr))
        if isinstance(node.arg, nodes.Slice):
            return self._slice(base, node.arg)
        key = self.value(node.arg)
        if base.is_foldable and key.is_foldable and not key.strings():
            return joined(folded(item, base, key), Value(constants=base.values))
        return self._looked_up(node, base, key)

    def _looked_up(self, node: nodes.Getattr | nodes.Getitem, base: Value, key: Value) -> Value:
        self._name(node, key, node)
        self._on_object(node, base, key)
        stored = [self.store[f".{k}"] for k in (*key.strings(), "*") if f".{k}" in self.store]
        if base.values:
            stored.append(Value(constants=base.values))
        if isinstance(node, nodes.Getattr) and node.attr in names.METHODS | names.FORMATS:
            stored.append(_BOUND)
        elif base.opaque or base.strings() or base.named - _HARMLESS:
            stored.append(OPAQUE)
        elif base.named == {"a macro"} and isinstance(node, nodes.Getitem):
            stored.append(base)
        return joined(*stored) if stored else DATA

    def _on_object(self, node: nodes.Node, base: Value, key: Value) -> None:
        """An attribute of one of the objects that a renderer gives to every template."""
        for object_ in sorted(base.named & names.GLOBALS):
            allowed = names.HELPERS.get(object_, frozenset())
            if not (key.is_foldable and key.constants <= allowed):
                what = f"it looks into the renderer's object {object_}"
                self.say("template-object", Severity.HIGH, node, what, spelled(node))

    def _slice(self, base: Value, node: nodes.Slice) -> Value:
        bounds = [
            constant(None) if b is None else self.value(b)
            for b in (node.start, node.stop, node.step)
        ]
        if base.is_foldable and all(b.is_foldable for b in bounds):
            return folded(sliced, base, *bounds)
        return OPAQUE if base.is_literal else DATA

    def _name(self, node: nodes.Node, key: Value, shown: nodes.Node) -> None:
        """Judge a name that is looked up on an object."""
        for name in key.strings():
            kind = kind_of(name)
            if kind is Kind.PLAIN:
                continue
            severity = Severity.CRITICAL if kind is Kind.ESCAPE else Severity.HIGH
            what = "it reaches into Python's objects, which leads out of the template"
            found = spelled(shown)
            if name not in found:
                found = f"{found} = {ascii(name)[1:60]}"
            self.say("template-escape", severity, node, what, found)
        if key.opaque:
            what = "it looks up a name that it computes, which nobody can read off it"
            self.say("template-computed", Severity.HIGH, node, what, spelled(shown))

    def _binary(self, node: nodes.BinExpr) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node, nodes.And | nodes.Or):
            return joined(left, right)
        operation = type(node).__name__
        if is_unsure(node, left, right):
            return OPAQUE
        if left.is_foldable and right.is_foldable:
            try:
                return folded(OPERATORS[operation], left, right)
            except HugeError as e:
                self._huge(node, str(e))
                return OPAQUE
        self._check_repeat(node, left, right)
        if operation == "Add" and left.is_list and right.is_list:
            return Value(values=left.elements() | right.elements())
        return DATA if operation in ("Sub", "Div", "FloorDiv", "Pow") else mixed(left, right)

    def _check_repeat(self, node: nodes.BinExpr, left: Value, right: Value) -> None:
        counts = [c for v in (left, right) for c in v.constants if isinstance(c, int)]
        if isinstance(node, nodes.Mul) and max(counts, default=0) > names.LARGEST:
            self._huge(node, f"{max(counts)} times")

    def concat(self, node: nodes.Concat) -> Value:
        parts = [self.value(n) for n in node.nodes]
        if all(p.is_foldable for p in parts):
            return folded(concatenated, *parts)
        return mixed(*parts)

    def condition(self, node: nodes.CondExpr) -> Value:
        self.value(node.test)
        other = [] if node.expr2 is None else [self.value(node.expr2)]
        return joined(self.value(node.expr1), *other)

    def compare(self, node: nodes.Compare) -> Value:
        self.value(node.expr)
        for operand in node.ops:
            self.value(operand.expr)
        return DATA

    # --- filters ------------------------------------------------------------------

    def filter_(self, node: nodes.Filter) -> Value:
        return self._filter(node, DATA if node.node is None else self.value(node.node))

    def _filter(self, node: nodes.Filter, base: Value) -> Value:
        arguments = [self.value(a) for a in node.args]
        keywords = {str(k.key): self.value(k.value) for k in node.kwargs}
        for extra in (node.dyn_args, node.dyn_kwargs):
            if extra is not None and self.value(extra).is_literal:
                what = "it passes arguments that it computes to a filter"
                self.say("template-computed", Severity.HIGH, node, what, spelled(node))
        self._check_filter(node, arguments, keywords)
        if node.name in _LAZY:
            return joined(base, *let_in(node.name, arguments, keywords), _LAZY_VALUE)
        if node.name == "attr":
            return OPAQUE
        found = self._operated(node, FILTERS, node.name, eager(base, node.name), arguments)
        return joined(found, *keywords.values(), *doubt(keywords))

    def _check_filter(
        self, node: nodes.Filter, arguments: list[Value], keywords: dict[str, Value]
    ) -> None:
        if node.name not in names.FILTERS:
            what = "it uses a filter that is not one of Jinja's"
            severity = Severity.HIGH if node.name in names.DANGEROUS else Severity.MEDIUM
            self.say("template-call", severity, node, what, f"|{ascii(node.name)[1:-1]}")
        if node.name == "attr":
            self._attribute(node, [*arguments, *keywords.values()])
        elif node.name in ("map", "select", "reject") and arguments:
            self._by_name(node, arguments)
        if node.name in names.ATTRIBUTE_FIRST:
            self._paths(node, arguments[:1])
        if node.name in names.BY_ATTRIBUTE and "attribute" in keywords:
            self._paths(node, [keywords["attribute"]])

    def _attribute(self, node: nodes.Node, arguments: list[Value]) -> None:
        """``|attr(name)``, also by way of ``|map('attr', name)``."""
        for argument in arguments:
            self._name(node, argument, node)
            if not argument.is_foldable and not argument.opaque:
                what = "it looks up an attribute whose name comes from elsewhere"
                self.say("template-computed", Severity.HIGH, node, what, spelled(node))

    def _by_name(self, node: nodes.Filter, arguments: list[Value]) -> None:
        """``|map('filter', …)``: the filter that is named."""
        if not arguments[0].is_foldable:
            what = "it applies a filter whose name it computes"
            self.say("template-computed", Severity.HIGH, node, what, spelled(node))
        if "attr" in arguments[0].strings():
            self._attribute(node, arguments[1:])

    def _paths(self, node: nodes.Filter, arguments: list[Value]) -> None:
        """Names of attributes in which dots lead further."""
        for argument in arguments:
            parts = {part for text in argument.strings() for part in text.split(".")}
            self._name(node, constant(*parts), node)
            if argument.opaque:
                self._name(node, OPAQUE, node)

    def _operated(
        self,
        node: nodes.Node,
        operations: Mapping[str, Callable[..., Any]],
        name: str,
        base: Value,
        arguments: list[Value],
    ) -> Value:
        """What a filter or method of that name makes of values."""
        all_ = [base, *arguments]
        if name in operations and all(v.is_foldable for v in all_):
            try:
                return joined(folded(operations[name], *all_), Value(values=base.values))
            except HugeError as e:
                self._huge(node, str(e))
                return OPAQUE
        if name in _NUMERIC:
            return DATA
        if name in ("items", "dictsort", "values") and base.values:
            return joined(base, constant(tuple(base.values), *base.values))
        if name in ("default", "d", "get", "items", "dictsort", "setdefault", "pop"):
            return joined(base, *arguments, Value(constants=base.values))
        return base if name in _TAKING and not base.is_literal else mixed(base, *arguments)

    # --- calls --------------------------------------------------------------------

    def call(self, node: nodes.Call) -> Value:
        arguments = [self.value(a) for a in node.args]
        keywords = {str(k.key): self.value(k.value) for k in node.kwargs}
        for extra in (node.dyn_args, node.dyn_kwargs):
            if extra is not None:
                unpacked = self.value(extra)
                arguments.append(joined(unpacked, Value(constants=unpacked.values)))
        match node.node:
            case nodes.Name():
                return self._function(node, node.node, arguments, keywords)
            case nodes.Getattr():
                return self._method(node, node.node.attr, arguments, keywords)
            case nodes.Getitem() if isinstance(node.node.arg, nodes.Const):
                return self._method(node, str(node.node.arg.value), arguments, keywords)
        if self.value(node.node).named == {"a macro"}:
            self._called(self.macros, arguments, keywords)
        else:
            what = "it calls what it has computed"
            self.say("template-call", Severity.HIGH, node, what, spelled(node))
        return OPAQUE

    def _called(
        self, macros: Collection[str], arguments: list[Value], keywords: dict[str, Value]
    ) -> None:
        """The parameters of macros that one call may mean."""
        for macro in macros:
            parameters = [p.name for p in self.macros[macro]]
            for name, given in [*zip(parameters, arguments, strict=False), *keywords.items()]:
                if name in parameters:
                    self.keep(name, given)
            if not inert(*arguments[len(parameters) :]):
                self.keep("varargs", OPAQUE)
            if keywords.keys() - set(parameters):
                self.keep("kwargs", OPAQUE)

    def _function(
        self,
        node: nodes.Call,
        function: nodes.Name,
        arguments: list[Value],
        keywords: dict[str, Value],
    ) -> Value:
        name = function.name
        known = self.value(function)
        given = [*arguments, *keywords.values()]
        if name in ("namespace", "dict") and name not in self.store:
            made = self._keywords(arguments, keywords)
            return made if name == "dict" else DATA
        if name == "range" and name not in self.store:
            return self._range(node, arguments)
        if name in self.macros or known.named == {"a macro"}:
            self._called({name} & self.macros.keys() or self.macros, arguments, keywords)
            return OPAQUE
        if name in ("joiner", "cycler") and name not in self.store:
            return Value(named=frozenset(("a helper",)))
        if known.named and known.named <= names.FUNCTIONS | {"a helper"}:
            return OPAQUE if any(v.is_literal for v in given) else DATA
        severity = Severity.HIGH if self.chat else Severity.MEDIUM
        if name in names.DANGEROUS:
            severity = Severity.CRITICAL
        what = "it calls a function that it does not define and that nobody has judged"
        self.say("template-call", severity, node, what, spelled(function))
        return OPAQUE

    def _keywords(self, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        for key, value in keywords.items():
            self.keep(f".{key}", value)
        for argument in arguments:
            if not inert(argument):
                self.keep(".*", constant(*leaves(argument)))
        return dictionary([constant(k) for k in keywords], list(keywords.values()))

    def _range(self, node: nodes.Call, arguments: list[Value]) -> Value:
        for argument in arguments:
            largest = max((c for c in argument.constants if isinstance(c, int)), default=0)
            if largest > names.LARGEST:
                self._huge(node, f"a range to {largest}")
        return DATA

    def _method(
        self, node: nodes.Call, name: str, arguments: list[Value], keywords: dict[str, Value]
    ) -> Value:
        callee = node.node
        if not isinstance(callee, nodes.Getattr | nodes.Getitem):
            return OPAQUE
        base = self.value(callee.node)  # once: twice at each call of a chain is exponential
        self._member(callee, base)
        if name in names.FORMATS:
            self._format(node, base, name)
        elif name not in names.METHODS and kind_of(name) is Kind.PLAIN:
            severity = Severity.CRITICAL if name in names.DANGEROUS else Severity.HIGH
            what = "it calls a method that nobody has judged"
            self.say("template-call", severity, node, what, spelled(callee))
        if name in _GROWING and any(a.is_literal for a in arguments):
            self.grown = True
        return self._operated(node, METHODS, name, base, [*arguments, *keywords.values()])

    def _format(self, node: nodes.Call, base: Value, name: str) -> None:
        """``'{0.name}'.format(x)`` looks names up (CVE-2016-10745, CVE-2024-56326)."""
        if name == "format_map" or base.opaque or base.named:
            what = "it formats with a text that it computes, whose fields look names up"
            self.say("template-computed", Severity.HIGH, node, what, spelled(node))
        elif not base.strings():
            what = "it formats with a text that comes from elsewhere"
            self.say("template-computed", Severity.MEDIUM, node, what, spelled(node))
        for text in base.strings():
            for field in fields(text):
                self._name(node, constant(field), node)

    # --- saying it ----------------------------------------------------------------

    def _huge(self, node: nodes.Node, found: str) -> None:
        what = "it would run or grow without end"
        self.say("template-huge", Severity.HIGH, node, what, found[:80])

    def say(self, rule: str, severity: Severity, node: nodes.Node, what: str, found: str) -> None:
        key = (rule, found, severity)
        if key not in self.said and sum(k[2] is severity for k in self.said) < _MOST_SAID:
            self.said[key] = Remark(
                rule=rule, severity=severity, what=what, found=found, line=node.lineno
            )


_EXPRESSIONS: Final[Mapping[type[nodes.Node], Callable[[_Judge, Any], Value]]] = {
    nodes.Name: _Judge.name,
    nodes.Const: _Judge.const,
    nodes.TemplateData: _Judge.template_data,
    nodes.List: _Judge.sequence,
    nodes.Tuple: _Judge.sequence,
    nodes.Dict: _Judge.mapping,
    nodes.Getattr: _Judge.member,
    nodes.Getitem: _Judge.member,
    nodes.Concat: _Judge.concat,
    nodes.CondExpr: _Judge.condition,
    nodes.Compare: _Judge.compare,
    nodes.Filter: _Judge.filter_,
    nodes.Call: _Judge.call,
}
