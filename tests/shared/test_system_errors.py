"""Words for what a machine refuses."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from datasets.exceptions import DatasetGenerationError

from rocov2_shared.system_errors import NO_MEMORY, describe, describe_name, may_be_over

OTHER_CACHE = "set HF_HOME to a folder that can be written, for the cache of Hugging Face libraries"


def caused_by(error: Exception, cause: Exception) -> Exception:
    """Return `error` as raised from `cause`."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "line", "over"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "No space left on device (/x)", True),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device", True),
        (
            OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device"),
            "No space left on device",
            True,
        ),
        (OSError(errno.EROFS, "Read-only file system", "/x/a\x1b\n"), r"Read-only file system (/x/a\x1b\n)", False),
        (OSError(errno.EACCES, "Permission denied", b"/x/\xff"), r"Permission denied (/x/\udcff)", False),
        (OSError("cannot listen on h, port 1"), "cannot listen on h, port 1", False),
        (
            UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates not allowed"),
            r"caf\udce9 is not UTF-8, but Arrow and `datasets` open only files with UTF-8 names: rename it",
            False,
        ),
        (MemoryError("malloc of size 64 failed"), NO_MEMORY, True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), NO_MEMORY, True),
        (RuntimeError("can't start new thread"), NO_MEMORY, True),
        (
            caused_by(ImportError("numpy failed"), ImportError("x.so: failed to map segment from shared object")),
            NO_MEMORY,
            True,
        ),
        (UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range(128)"), None, False),
        (
            OSError(errno.EMFILE, "Too many open files"),
            "Too many open files: raise the limit of open files (ulimit -n)",
            False,
        ),
        (
            caused_by(
                DatasetGenerationError("An error occurred"), OSError(errno.ENOSPC, "No space left on device", "/x")
            ),
            "No space left on device (/x)",
            False,
        ),
        (DatasetGenerationError("An error occurred"), None, False),
        (RuntimeError("a fault of the program"), None, False),
    ],
)
def test_the_machine_is_at_fault(error: Exception, line: str | None, over: bool) -> None:
    assert (describe(error), may_be_over(error)) == (line, over)


def test_a_name_that_only_the_locale_cannot_hold_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsencode", lambda name: name.encode("ascii", "surrogateescape"))  # as under LC_ALL=C
    told = "Ö cannot be opened, since the locale of this process is not UTF-8: set PYTHONUTF8=1"
    assert describe_name("\udcc3\udc96") == told
    assert describe_name("\udcff").startswith(r"\udcff is not UTF-8")


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"HF_HOME": "/c/hf"}, "/c/hf/datasets/x"),
        ({"HF_HOME": "/c/hf"}, "/c/hf"),
        ({"HF_HOME": "/c/hf"}, "/c"),
        ({"HF_DATASETS_CACHE": "/c/datasets"}, "/c/datasets/rocov2"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({"HOME": "/c"}, "/c/.cache"),
    ],
)
def test_a_cache_that_cannot_be_written_is_named(
    variables: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HF_HOME", "HF_DATASETS_CACHE", "HF_HUB_CACHE", "HF_MODULES_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    error = OSError(errno.EROFS, "Read-only file system", name)
    assert describe(error) == f"Read-only file system ({name}): {OTHER_CACHE}"
    assert describe(OSError(errno.EROFS, "Read-only file system", "/d/x")) == "Read-only file system (/d/x)"


def test_a_full_cache_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", "/c/hf")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HF_MODULES_CACHE", raising=False)
    error = OSError("Not enough disk space. Needed: Unknown size (download: 1.26 MiB, generated: 1.22 MiB.")
    assert describe(error) == f"No space left on device (/c/hf): {OTHER_CACHE}"


@pytest.mark.parametrize("name", [None, "raw"])
def test_a_removed_working_folder_is_named(name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError(errno.ENOENT, "No such file or directory", name)
    shown = "No such file or directory" + (f" ({name})" if name else "")
    monkeypatch.chdir(tmp_path)
    assert describe(error) == shown
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert describe(error) == "the current folder was removed: change to another folder"
    assert describe(OSError(errno.ENOENT, "No such file or directory", "/x/y")) == "No such file or directory (/x/y)"
