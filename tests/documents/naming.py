"""Tests that a page names: each has to be there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

__all__ = ["named_tests"]

_ROOT = Path(__file__).parents[2]


def named_tests(page: str) -> list[tuple[str, str]]:
    """File and function of every test that is named; fails where one is not there."""
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", page)
    for path, name in named:
        body = ast.parse((_ROOT / path).read_text(encoding="utf-8")).body
        assert name in [item.name for item in body if isinstance(item, ast.FunctionDef)], (path, name)
    return named
