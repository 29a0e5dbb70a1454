"""What the names in a module stand for, whichever way they were bound."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias, final

from credenza.scan.source import folding
from credenza.scan.source.folding import Value

_DEEPEST: Final = 80
_MOST: Final = 8
_MOST_REFS: Final = 64
_PARTS: Final = 8
"""Longer dotted names are not followed: the longest that matters has six parts."""
_STEPS: Final = 300_000
_BYTES: Final = 16 << 20
"""What all values of one module may come to."""
_BUILTINS: Final = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "execfile",
        "open",
        "getattr",
        "setattr",
        "delattr",
        "__import__",
        "globals",
        "locals",
        "vars",
        "input",
        "__builtins__",
        "chr",
        "ord",
        "str",
        "bytes",
        "bytearray",
        "int",
        "list",
        "tuple",
        "reversed",
        "sorted",
        "map",
        "hasattr",
        "isinstance",
        "print",
        "breakpoint",
        "__loader__",
    ]
)
_ALWAYS: Final = frozenset({"eval", "exec", "getattr", "__import__", "setattr", "__builtins__"})
"""These are what they are even where some line binds the name: that line need never run."""

_CHANGING: Final = frozenset(
    ["append", "extend", "insert", "reverse", "sort", "pop", "remove", "clear"]
)
"""Methods after which a list is another."""

_REFERRING: Final = (
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.IfExp, ast.BoolOp),
    *(ast.NamedExpr, ast.Await, ast.Starred),
)
_NEAR: Final = 400
"""How much of an expression is looked through for the names that it needs."""

Env: TypeAlias = Mapping[str, Value]


@final
@dataclass(frozen=True, slots=True)
class Ref:
    """A dotted name that an expression stands for; ``hidden`` where it is not written as such."""

    name: str
    hidden: bool = False

    def dot(self, name: str, *, hidden: bool = False) -> Ref:
        if self.name.count(".") >= _PARTS:
            return self
        return Ref(f"{self.name}.{name}", self.hidden or hidden)


@final
class Names:
    """Bindings of a whole module, whatever their scope: one that may hold is taken to hold."""

    def __init__(self, tree: ast.Module) -> None:
        self._modules: dict[str, list[str]] = defaultdict(list)
        self._values: dict[str, list[ast.expr]] = defaultdict(list)
        self._stars: list[str] = []
        self._defined = {
            n.name: n.lineno
            for n in tree.body
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        self.bound: set[str] = set()
        self._changed: set[str] = set()
        self.lost = False
        """Whether some name leads on for longer than is followed."""
        self._refs: dict[int, tuple[Ref, ...]] = {}
        self._named_refs: dict[str, frozenset[Ref]] = {}
        self._folded: dict[int, Value | None] = {}
        self._steps = _STEPS
        self._bytes = _BYTES
        self._tree = tree  # what is known is known by the identity of its nodes
        for node in ast.walk(tree):
            self._bind(node)
        self._settle()

    def imported(self, module: str) -> bool:
        """Whether the module, or a part of it, is imported under some name."""
        found = (m for names in self._modules.values() for m in names)
        return any(m == module or m.startswith(f"{module}.") for m in found)

    def refs(self, node: ast.AST, depth: int = 0) -> tuple[Ref, ...]:
        """The names that an expression may stand for."""
        known = self._refs.get(id(node))
        if known is not None:
            return known
        self._steps -= 1
        if depth > _DEEPEST or self._steps < 0:
            self.lost = self.lost or isinstance(node, ast.Name) or self._steps < 0
            return ()
        found = tuple(dict.fromkeys(self._look(node, depth + 1)))
        self.lost = self.lost or len(found) > _MOST_REFS
        self._refs[id(node)] = found[:_MOST_REFS]
        return self._refs[id(node)]

    def fold(self, node: ast.AST | None, env: Env | None = None, depth: int = 0) -> Value | None:
        """What an expression comes to, or None."""
        if node is None or depth > _DEEPEST:
            return None
        if env:
            self._steps -= 1
            return self._paid(self._come_to(node, env, depth + 1)) if self._steps > 0 else None
        if id(node) not in self._folded:
            self._folded[id(node)] = None
            self._steps -= 1
            if self._steps > 0:
                self._folded[id(node)] = self._paid(self._come_to(node, {}, depth + 1))
        return self._folded[id(node)]

    def text(self, node: ast.AST | None, depth: int = 0) -> str | None:
        """What an expression comes to, if that is text."""
        value = self.fold(node, depth=depth)
        return value if isinstance(value, str) else None

    def values_of(self, name: str) -> list[ast.expr]:
        """The expressions that a name is bound to somewhere."""
        return self._values.get(name, [])

    def _settle(self) -> None:
        """Find what each name may stand for, until nothing more comes of it."""
        needed: dict[str, set[str]] = defaultdict(set)
        for name, values in self._values.items():
            for value in values:
                for part in islice(ast.walk(value), _NEAR):
                    if isinstance(part, ast.Name):
                        needed[part.id].add(name)
        todo = dict.fromkeys(self._values)
        while todo and not self.lost:
            name = next(iter(todo))
            del todo[name]
            found = frozenset(r for value in self._values[name] for r in self._anew(value))
            if found - self._named_refs.get(name, frozenset()):
                self._named_refs[name] = found | self._named_refs.get(name, frozenset())
                self.lost = self.lost or len(self._named_refs[name]) > _MOST_REFS
                todo.update(dict.fromkeys(needed[name]))
        self._refs.clear()
        self._folded.clear()

    def _anew(self, value: ast.expr) -> tuple[Ref, ...]:
        if not isinstance(value, _REFERRING):
            return ()
        self._refs.clear()
        self._folded.clear()
        return self.refs(value)

    # --- bindings ---------------------------------------------------------------

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind_to(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._bind_to(target, value)
            case ast.NamedExpr(target=target, value=value):
                self._bind_to(target, value)
            case ast.For(target=target, iter=each) | ast.comprehension(target=target, iter=each):
                elts = each.elts if isinstance(each, ast.Tuple | ast.List) else []
                for value in elts[:_MOST]:
                    self._bind_to(target, value)
                names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
                self.bound.update(names)
                self._changed.update(names)
            case ast.withitem(optional_vars=ast.Name(id=name)):
                self.bound.add(name)
            case ast.arguments():
                self._bind_parameters(node)
            case _:
                self._change(node)

    def _change(self, node: ast.AST) -> None:
        """Note what makes a name stand for another value than it was bound to."""
        match node:
            case ast.AugAssign(target=ast.Name(id=name)):
                self._changed.add(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)):
                if attr in _CHANGING:
                    self._changed.add(name)
            case ast.Delete(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Name):
                        self._defined.pop(target.id, None)
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
                self._changed.add(name)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                self._modules[name].append(alias.name if alias.asname else name)
        elif node.module and not node.level:
            for alias in node.names:
                if alias.name == "*":
                    self._stars.append(node.module)
                self._modules[alias.asname or alias.name].append(f"{node.module}.{alias.name}")

    def _bind_to(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._values[target.id].append(value)
            self.bound.add(target.id)
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for one, its in zip(target.elts, value.elts, strict=False):
                self._bind_to(one, its)

    def _bind_parameters(self, node: ast.arguments) -> None:
        positional = [*node.posonlyargs, *node.args]
        names = [a.arg for a in (*positional, *node.kwonlyargs)]
        self.bound.update(names)
        self._changed.update(names)  # a default is one value of many
        defaults = node.defaults
        pairs = [*zip(positional[len(positional) - len(defaults) :], defaults, strict=True)]
        for parameter, default in (*pairs, *zip(node.kwonlyargs, node.kw_defaults, strict=True)):
            if default is not None:
                self._values[parameter.arg].append(default)

    # --- names ------------------------------------------------------------------

    def _look(self, node: ast.AST, depth: int) -> Iterator[Ref]:
        match node:
            case ast.Name(id=name):
                yield from self._named(name, node.lineno)
            case ast.Attribute(value=value, attr=attr):
                for ref in self.refs(value, depth):
                    yield _attribute(ref, attr)
            case ast.Subscript(value=value, slice=key):
                yield from self._item(value, key, depth)
            case ast.Call():
                yield from self._called(node, depth)
            case ast.IfExp(body=a, orelse=b):
                yield from (*self.refs(a, depth), *self.refs(b, depth))
            case ast.BoolOp(values=values):
                for value in values[:_MOST]:
                    yield from self.refs(value, depth)
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                yield from self.refs(value, depth)

    def _named(self, name: str, line: int) -> Iterator[Ref]:
        yield from (Ref(full) for full in dict.fromkeys(self._modules.get(name, ())))
        yield from self._named_refs.get(name, ())
        if name in self._modules or self._defined.get(name, line) < line:
            return
        if name in _BUILTINS and (name in _ALWAYS or name not in self.bound):
            yield Ref(f"builtins.{name}")
        elif name not in self.bound:
            yield from (Ref(f"{module}.{name}") for module in self._stars[:_MOST_REFS])

    def _item(self, value: ast.expr, key: ast.expr, depth: int) -> Iterator[Ref]:
        refs = self.refs(value, depth)
        name = self.text(key, depth) if refs else None
        if name is None:
            return
        for ref in refs:
            if ref.name in ("builtins.globals", "builtins.locals", "builtins.vars"):
                yield from (Ref(r.name, True) for r in self._named(name, 1 << 30))
            elif ref.name == "sys.modules":
                yield Ref(name, True)
            else:
                yield ref.dot(name, hidden=True)

    def _called(self, node: ast.Call, depth: int) -> Iterator[Ref]:
        """What a call gives: a module, an attribute, a name space."""
        first = node.args[0] if node.args else None
        for ref in self.refs(node.func, depth):
            match ref.name:
                case "builtins.__import__" | "importlib.import_module" | "importlib.__import__":
                    name = self.text(first or _keyword(node, "name"), depth)
                    if name:
                        top = ref.name.endswith("__import__") and not _keyword(node, "fromlist")
                        top = top and len(node.args) < 4
                        yield Ref(name.partition(".")[0] if top else name, True)
                case "builtins.getattr" if len(node.args) > 1:
                    name = self.text(node.args[1], depth)
                    if name is not None:
                        for base in self.refs(node.args[0], depth):
                            yield base.dot(name, hidden=True)
                case "builtins.vars" | "functools.partial" if first is not None:
                    yield from (
                        Ref(r.name, ref.name != "functools.partial")
                        for r in self.refs(first, depth)
                    )
                case "builtins.globals" | "builtins.locals" | "builtins.vars":
                    yield ref
                case "pkgutil.resolve_name" | "pydoc.locate":
                    name = self.text(first, depth)
                    if name:
                        yield Ref(name.replace(":", "."), True)
        yield from self._got(node, depth)

    def _got(self, node: ast.Call, depth: int) -> Iterator[Ref]:
        """``operator.attrgetter(name)(x)``, ``x.__getattribute__(name)``, ``names.get(name)``."""
        first = node.args[0] if node.args else None
        match node.func:
            case ast.Call(func=made, args=[key, *_]) if first is not None and any(
                r.name == "operator.attrgetter" for r in self.refs(made, depth)
            ):
                name = self.text(key, depth)
                if name is not None:
                    yield from (r.dot(name, hidden=True) for r in self.refs(first, depth))
            case ast.Attribute(value=value, attr="__getattribute__" | "get" | "__getitem__"):
                if first is not None:
                    yield from self._item(value, first, depth)

    def _paid(self, value: Value | None) -> Value | None:
        if isinstance(value, str | bytes | list):
            self._bytes -= len(value) * (64 if isinstance(value, list) else 1)
            self.lost = self.lost or self._bytes < 0
            return value if self._bytes > 0 else None
        return value

    # --- values -----------------------------------------------------------------

    def _come_to(self, node: ast.AST, env: Env, depth: int) -> Value | None:
        match node:
            case ast.Constant(value=value):
                return folding.kept(value)
            case ast.Name(id=name):
                return env[name] if name in env else self._constant(name, depth)
            case ast.BinOp(left=left, op=op, right=right):
                ab = self._all([left, right], env, depth)
                return folding.arithmetic(type(op).__name__, *ab) if ab else None
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                number = self.fold(operand, env, depth)
                return -number if isinstance(number, int) else None
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                return self._all(elts, env, depth)
            case ast.JoinedStr(values=parts):
                texts = self._all(parts, env, depth)
                return folding.applied(_joined, (texts,)) if texts is not None else None
            case ast.FormattedValue(value=value, format_spec=None):
                return self.fold(value, env, depth)
            case ast.Subscript(value=value, slice=key):
                return self._part(value, key, env, depth)
            case ast.Call():
                return self._result(node, env, depth)
            case (
                ast.ListComp(elt=elt, generators=[one])
                | ast.GeneratorExp(elt=elt, generators=[one])
            ):
                return self._each(elt, one, env, depth)
        return None

    def _constant(self, name: str, depth: int) -> Value | None:
        """What a name comes to that is bound once and not changed."""
        bound = self._values.get(name, ()) if name not in self._changed else ()
        return self.fold(bound[0], depth=depth) if len(bound) == 1 else None

    def _all(self, nodes: list[ast.expr], env: Env, depth: int) -> list[Any] | None:
        values = []
        for node in nodes:
            value = self.fold(node, env, depth)
            if value is None:
                return None
            values.append(value)
        return values

    def _part(self, value: ast.expr, key: ast.expr, env: Env, depth: int) -> Value | None:
        whole = self.fold(value, env, depth)
        if whole is None or isinstance(whole, int):
            return None
        if isinstance(key, ast.Slice):
            given = [e for e in (key.lower, key.upper, key.step) if e is not None]
            ends = [self.fold(e, env, depth) for e in (key.lower, key.upper, key.step)]
            if sum(e is not None for e in ends) < len(given):
                return None
            return folding.applied(_cut, (whole, [e or None for e in ends]))
        index = self.fold(key, env, depth)
        return None if index is None else folding.applied(_item_of, (whole, index))

    def _result(self, node: ast.Call, env: Env, depth: int) -> Value | None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in folding.METHODS:
            base = self.fold(node.func.value, env, depth)
            if isinstance(base, str | bytes):
                arguments = self._all(node.args, env, depth)
                if arguments is None:
                    return None
                return folding.applied(folding.METHODS[node.func.attr], [base, *arguments])
        for ref in self.refs(node.func, depth):
            if ref.name == "builtins.map" and len(node.args) == 2:
                return self._mapped(node.args[0], self.fold(node.args[1], env, depth), depth)
            function = folding.FUNCTIONS.get(ref.name)
            arguments = self._all(node.args, env, depth) if function else None
            if function and arguments is not None:
                return folding.applied(function, arguments)
        return None

    def _mapped(self, function: ast.expr, values: Value | None, depth: int) -> Value | None:
        if isinstance(function, ast.Lambda) and len(function.args.args) == 1:
            return self._over(function.args.args[0].arg, values, function.body, {}, depth)
        for ref in self.refs(function, depth):
            known = folding.FUNCTIONS.get(ref.name)
            if known and isinstance(values, list | str | bytes):
                return [folding.applied(known, (v,)) for v in values[: folding.MOST]]
        return None

    def _each(
        self, elt: ast.expr, one: ast.comprehension, env: Env, depth: int
    ) -> list[Any] | None:
        if one.ifs or not isinstance(one.target, ast.Name):
            return None
        return self._over(one.target.id, self.fold(one.iter, env, depth), elt, env, depth)

    def _over(
        self, name: str, values: Value | None, body: ast.expr, env: Env, depth: int
    ) -> list[Any] | None:
        """``body`` for each value of a name."""
        if not isinstance(values, str | bytes | list):
            return None
        results = []
        for value in values:
            result = self.fold(body, {**env, name: value}, depth)
            if result is None:
                return None
            results.append(result)
        return results


def _joined(texts: list[Any]) -> str:
    return "".join(map(str, texts))


def _cut(whole: Any, ends: list[Any]) -> Any:
    return whole[slice(*ends)]


def _item_of(whole: Any, index: Any) -> Any:
    return whole[index]


def _attribute(ref: Ref, attr: str) -> Ref:
    if attr in ("__dict__", "__getattribute__"):
        return Ref(ref.name, True)
    if attr == "__self__" and ref.name.startswith("builtins."):
        return Ref("builtins", True)
    return ref.dot(attr)


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in node.keywords if k.arg == name), None)
