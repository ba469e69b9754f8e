"""The packages of the extra `explore`, which are found without importing them, since that takes seconds."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from rocov2_shared.errors import how_to_install


def require(*modules: str) -> None:
    """Raise ModuleNotFoundError if a package is not installed, without importing it."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(
                f"the explorer needs the package {module}: {how_to_install('explore')}", name=module
            )


def need(module: str) -> Any:
    """Import a package.

    Raises:
        ModuleNotFoundError: the package is not installed; the message says how to install it.
    """
    require(module)
    return importlib.import_module(module)
