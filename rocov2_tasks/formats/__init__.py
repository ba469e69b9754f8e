"""The formats that `rocov2_tasks.export` writes, one module each. A new format is a module and a row of `FORMATS`.

The export command builds its help from this table, so a format imports what takes seconds (`datasets`) when it writes.
"""

from __future__ import annotations

from rocov2_tasks.formats.format import CREDIT, ExportOptions, Format
from rocov2_tasks.formats.llamafactory import FORMAT as LLAMAFACTORY
from rocov2_tasks.formats.vlmevalkit import FORMAT as VLMEVALKIT
from rocov2_tasks.formats.webdataset import FORMAT as WEBDATASET

__all__ = ["CREDIT", "FORMATS", "ExportOptions", "Format"]

FORMATS = {format.name: format for format in (WEBDATASET, LLAMAFACTORY, VLMEVALKIT)}
"""Formats by name."""
