"""What is found in the source and nowhere else: docstrings of attributes, and where a thing stands."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from whispercore.contract.endpoint import Operation

ROOT: Final = Path(__file__).parents[1]
"""The folder that holds the packages: of a clone, the clone."""

_Class = tuple[str, str]
"""Module and qualified name."""


@frozen
class Place:
    """A line of a file."""

    file: Path
    line: int

    def __str__(self) -> str:
        """The file as seen from the clone, where it is in one."""
        inside = self.file.is_relative_to(ROOT)
        return f"{self.file.relative_to(ROOT) if inside else self.file}:{self.line}"


def notes_of(kind: type) -> dict[str, str]:
    """The docstrings of a class's attributes, inherited ones included; none where there is no source."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        found |= _notes(one.__module__).get(one.__qualname__, {})
    return found


def sentence_of(kind: type) -> str:
    """The docstring of a class itself, without its sections on arguments; empty if it has none."""
    text = inspect.cleandoc(kind.__dict__.get("__doc__") or "")
    for section in ("Args:", "Raises:", "Returns:"):
        text = text.partition(f"\n\n{section}")[0]
    return text


def declared_at(operation: Operation) -> Place | None:
    """Where an endpoint is declared; None where there is no source."""
    for kind in operation.group.__mro__:
        line = _lines(kind.__module__).get(kind.__qualname__, {}).get(operation.attribute)
        if line is not None:
            return Place(Path(inspect.getfile(kind)), line)
    return None


def answered_at(method: Callable[..., Any]) -> Place | None:
    """Where a method or function is defined; None for what is not written in Python."""
    code = getattr(inspect.unwrap(method), "__code__", None)
    return None if code is None else Place(Path(code.co_filename), code.co_firstlineno)


@cache
def _tree(module: str) -> Mapping[str, ast.ClassDef]:
    """The classes of a module by qualified name."""
    try:
        return dict(_classes(ast.parse(inspect.getsource(sys.modules[module])), ""))
    except (OSError, TypeError, KeyError, SyntaxError):
        return {}


def _classes(inside: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in ast.iter_child_nodes(inside):
        if isinstance(node, ast.ClassDef):
            yield f"{prefix}{node.name}", node
            yield from _classes(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(node, f"{prefix}{node.name}.<locals>.")


@cache
def _notes(module: str) -> Mapping[str, Mapping[str, str]]:
    return {name: dict(_attribute_notes(node.body)) for name, node in _tree(module).items()}


def _attribute_notes(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for attribute, after in pairwise(body):
        match attribute, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)


@cache
def _lines(module: str) -> Mapping[str, Mapping[str, int]]:
    return {name: dict(_assigned(node.body)) for name, node in _tree(module).items()}


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    for node in body:
        if isinstance(node, ast.Assign):
            yield from ((one.id, node.lineno) for one in node.targets if isinstance(one, ast.Name))
