"""croissant.json: the repository in the vocabulary of Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html).

The Croissant file that the Hub generates for a Parquet repository lacks label names, checksums, and how the data were made.

Readers find the files of a record set by a pattern beside croissant.json; every file is also listed by itself, with its
size and SHA-256. A split is in no column: it is read off the name of the file.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import datasets

import rocov2
from rocov2_build.card.contents import Contents
from rocov2_build.card.croissant_rai import RAI
from rocov2_build.card.texts import template_metadata
from rocov2_build.raw.releases import RELEASES, SAMPLE
from rocov2_build.worker.task import FileFacts

CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]

LICENSE_URLS = {
    "CC BY": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY-NC": "https://creativecommons.org/licenses/by-nc/4.0/",
    "MIT": "https://spdx.org/licenses/MIT.html",
    "BSD-3-Clause": "https://spdx.org/licenses/BSD-3-Clause.html",
    "Apache-2.0": "https://spdx.org/licenses/Apache-2.0.html",
}
"""Licences of images; the release names no version of CC licences, so this is the current one (see LICENSE.md)."""

_PARQUET = "application/x-parquet"
# fmt: off
_TERMS = (
    "annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract",
    "field", "fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath",
    "key", "md5", "parentField", "path", "readLines", "recordSet", "references", "regex", "repeated", "replace",
    "samplingRate", "sdVersion", "separator", "source", "subField", "transform", "unArchive", "value",
)
# fmt: on
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}
_TYPES = {"string": "sc:Text", "bool": "sc:Boolean", "int32": "cr:Int32"}


def croissant(contents: Contents, files: list[FileFacts]) -> dict[str, Any]:
    """Return the content of `croissant.json`.

    Args:
        contents: what the repository holds, for its card.
        files: all its Parquet files.
    """
    splits = list(contents.sizes["default"])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        **_describe(contents),
        "isLiveDataset": False,
        "distribution": [
            *(_file_set(config, list(of)) for config, of in contents.sizes.items()),
            *map(_file_object, files),
        ],
        "recordSet": [
            _enumeration("splits", "Splits.", "cr:Split", [{"name": split} for split in splits]),
            *(_labels(column) for column in rocov2.LABELS),
            *(_record_set(config, list(of)) for config, of in contents.sizes.items()),
        ],
    }


def _describe(contents: Contents) -> dict[str, Any]:
    card = template_metadata()
    common = {"keywords": card["tags"], "inLanguage": card["language"]}
    if contents.release == SAMPLE:
        return {
            "name": f"ROCOv2{contents.title}",
            "description": "The sample of the project rocov2-hub, not ROCOv2: openly licensed scans in the form of a "
            f"release of ROCOv2, to try tools on. {_LICENSES_APART}",
            "license": [url for name, url in LICENSE_URLS.items() if name != "CC BY"],
            "url": rocov2.HOMEPAGE,
            "version": rocov2.__version__,
            "datePublished": _SAMPLE_YEAR,
            "citeAs": "The sample of the project rocov2-hub. Every image names its source in attribution and url.",
            **common,
            "rai:dataLimitations": "It is made for trying out tools, and is too small for anything else.",
        }
    release = RELEASES.get(contents.release or "")
    known = release.licenses if release else tuple(LICENSE_URLS)
    return {
        "name": f"ROCOv2{contents.title}",
        "description": f"{rocov2.DESCRIPTION} {_LICENSES_APART}",
        "license": [LICENSE_URLS[name] for name in known],
        "url": release.url if release else rocov2.HOMEPAGE,
        **({"sameAs": f"https://doi.org/{release.doi}"} if release else {}),
        "version": _version(release.name) if release else f"0.0.0+{contents.identity['default'][:12]}",
        "creator": [{"@type": "sc:Person", "name": name} for name in authors()],
        "datePublished": _cited("year"),
        "citeAs": rocov2.CITATION,
        **common,
        **{f"rai:{key}": value for key, value in RAI.items()},
    }


_SAMPLE_YEAR = "2026"
_LICENSES_APART = "Every image has its own licence, in the field license; attribution names the authors to credit."


def _version(name: str) -> str:
    """Return a release's name as MAJOR.MINOR.PATCH."""
    return ".".join([*name.split("."), "0", "0"][:3])


def _cited(key: str) -> str:
    """Return a value of the citation, on one line."""
    found = re.search(rf"^\s*{key}\s*= {{(.*?)}},?$", rocov2.CITATION, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"the citation has no {key}")
    return " ".join(found[1].split())


def authors() -> list[str]:
    """Return the names of the citation's authors, given names first."""
    names = re.sub(r'\{\\"(\w)\}', lambda found: unicodedata.normalize("NFC", f"{found[1]}\u0308"), _cited("author"))
    return [" ".join(reversed(name.split(", "))) for name in names.split(" and ")]


def _file_set(config: str, splits: list[str]) -> dict[str, Any]:
    patterns = _patterns(config, splits)
    return {
        "@type": "cr:FileSet",
        "@id": f"{config}-files",
        "name": f"{config}-files",
        "description": f"Files of the configuration {config}.",
        "encodingFormat": _PARQUET,
        "includes": patterns[0] if len(patterns) == 1 else patterns,
    }


def _patterns(config: str, splits: list[str]) -> list[str]:
    """Return the globs of the files of a configuration: one, where the same one serves every split."""
    definition = rocov2.CONFIGS[config]
    globs = {split: f"{definition.files(split).removesuffix('.parquet')}.parquet" for split in splits}
    joined = {glob.replace(f"/{split}", "/*", 1) for split, glob in globs.items()}
    return list(joined) if len(joined) == 1 and len(globs) > 1 else list(globs.values())


def _file_object(file: FileFacts) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "description": f"{file.rows:,} rows.",
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _PARQUET,
        "sha256": file.sha256,
    }


def _field(record_set: str, name: str, kind: str, description: str, **more: Any) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "description": description,
        "dataType": kind,
        **more,
    }


def _enumeration(name: str, description: str, kind: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a record set that contains its own rows; their first field is the key."""
    types = {key: "sc:Integer" if isinstance(value, int) else "sc:Text" for key, value in rows[0].items()}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "dataType": kind,
        "key": {"@id": f"{name}/{next(iter(types))}"},
        "field": [_field(name, key, kind, f"{key} of one of them") for key, kind in types.items()],
        "data": [{f"{name}/{key}": value for key, value in row.items()} for row in rows],
    }


def _labels(column: str) -> dict[str, Any]:
    rows = [
        {"label": label, "name": name, "cui": cui or ""}
        for label, (name, cui) in enumerate(rocov2.LABELS[column].items())
    ]
    description = f"Labels of {column}: their numbers, names and UMLS concepts."
    return _enumeration(f"{column}_labels", description, "sc:Enumeration", rows)


def _record_set(config: str, splits: list[str]) -> dict[str, Any]:
    definition = rocov2.CONFIGS[config]
    fields = [_column(config, name, column) for name, column in definition.columns.items()]
    if len(definition.splits) > 1:
        fields.insert(0, _split_field(config, splits))
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": definition.summary,
        "key": {"@id": f"{config}/{'cui' if 'cui' in definition.features else 'image_id'}"},
        "field": fields,
    }


def _split_field(config: str, splits: list[str]) -> dict[str, Any]:
    folder = rocov2.CONFIGS[config].folder
    is_glob = "*" in rocov2.CONFIGS[config].files(splits[0])
    source = {
        "fileSet": {"@id": f"{config}-files"},
        "extract": {"fileProperty": "fullpath"},
        "transform": {"regex": f"{folder}/({'|'.join(splits)}){'-' if is_glob else '.'}.*parquet$"},
    }
    references = {"field": {"@id": "splits/name"}}
    return _field(config, "split", "sc:Text", "split, from the name of the file", references=references, source=source)


def _column(config: str, name: str, column: rocov2.Column) -> dict[str, Any]:
    feature, description = column.feature, column.text
    source: dict[str, Any] = {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": name}}
    if isinstance(feature, datasets.Image):
        source["transform"] = {"jsonPath": "bytes"}
        return _field(config, name, "sc:ImageObject", description, source=source)
    if isinstance(feature, datasets.ClassLabel):
        # Without `references` to the names: mlcroissant 1.1 could then no longer filter by split.
        description += f"; the number of a label, whose name is in {name}_labels"
        return _field(config, name, "sc:Integer", description, source=source)
    if isinstance(feature, datasets.Value):
        return _field(config, name, _TYPES[feature.dtype], description, source=source)
    return _field(config, name, "sc:Text", description, isArray=True, arrayShape="-1", source=source)
