"""What the fields of a message mean: the docstrings under them, read from the source when somebody asks.

Pydantic would read them whenever a process starts, which takes it as long as making the models.
"""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def description_of(model: type[BaseModel], field: str) -> str:
    """What a field means; one that is only narrowed keeps the words of the model that it comes from. Empty if nobody said."""
    texts = (_docstrings(base).get(field, "") for base in model.__mro__ if issubclass(base, BaseModel) and base is not BaseModel)
    return next((text for text in texts if text), "")


@cache
def _docstrings(model: type[BaseModel]) -> Mapping[str, str]:
    """Of the fields that the model itself declares."""
    (declared,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(declared, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(declared.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }
