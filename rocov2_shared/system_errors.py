"""Words for what a machine refuses: files, space, memory, threads. None of it deserves a traceback."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from rocov2_shared.printable import printable

NO_MEMORY = (
    "not enough memory or threads: close other programs, or raise the limit (ulimit -v, or that of the container)"
)
_LACKS_MEMORY = re.compile(
    "cannot allocate memory|out of memory|failed to map segment|can't start new thread|failed to launch worker thread"
    "|bad_alloc",
    re.IGNORECASE,
)
"""What libraries say when memory or threads are short, as errors of various types."""

_SURROGATES = "surrogates not allowed"
"""What Python says of a file name that is not UTF-8, when a library such as Arrow needs it in UTF-8."""

_ARROW = re.compile(r".*Detail: \[errno \d+\] ", re.DOTALL)
"""What Arrow writes before the words of the system."""

_DATASETS_FULL = "Not enough disk space. Needed:"
"""How `datasets` begins its message when the disk of its cache is full."""

_MAY_BE_OVER = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EAGAIN}
"""Errors after which the same command may succeed, without another argument or setting."""

_REMEDIES = {
    errno.EFBIG: "raise the limit of the size of files (ulimit -f), or use a file system without one",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def describe(error: BaseException) -> str | None:
    """Return one line about an error for which the machine is at fault, without a full stop; None for any other error."""
    if isinstance(error, UnicodeEncodeError):
        return describe_name(error.object) if error.reason == _SURROGATES else None
    if _lacks_memory(error):
        return NO_MEMORY
    if isinstance(error, OSError):
        return describe_os_error(error)
    if type(error).__module__.startswith("datasets."):  # it raises an error of its own from that of the system
        causes = (cause for cause in _chain(error) if isinstance(cause, OSError) and cause.errno)
        return next(map(describe_os_error, causes), None)
    return None


def may_be_over(error: BaseException) -> bool:
    """Return whether the error may be over when the same command runs again."""
    return _lacks_memory(error) or (isinstance(error, OSError) and error.errno in _MAY_BE_OVER)


def describe_os_error(error: OSError) -> str:
    """Return the reason of an error of the system, the file that it is about, and what to do if that is known."""
    reason = printable(_ARROW.sub("", error.strerror or str(error)))
    if reason.startswith(_DATASETS_FULL):
        return f"No space left on device ({_caches()[0]}): {_OTHER_CACHE}"
    name = "" if error.filename is None else os.fsdecode(error.filename)
    if error.errno == errno.ENOENT and not os.path.isabs(name) and _is_removed_folder():
        return "the current folder was removed: change to another folder"
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None and name and error.errno != errno.ENOENT and _concerns_caches(name):
        remedy = _OTHER_CACHE
    return reason + (f" ({printable(name)})" if name else "") + (f": {remedy}" if remedy else "")


def describe_name(name: str) -> str:
    """Return what to do about the name of a file or folder that is not UTF-8, or is not for this process."""
    try:
        shown = os.fsencode(name).decode()
    except UnicodeError:
        pass
    else:
        return f"{printable(shown)} cannot be opened, since the locale of this process is not UTF-8: set PYTHONUTF8=1"
    return f"{printable(name)} is not UTF-8, but Arrow and `datasets` open only files with UTF-8 names: rename it"


_OTHER_CACHE = "set HF_HOME to a folder that can be written, for the cache of Hugging Face libraries"


def _lacks_memory(error: BaseException) -> bool:
    return any(
        isinstance(cause, MemoryError)
        or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)
        or (isinstance(cause, Exception) and _LACKS_MEMORY.search(str(cause)))
        for cause in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_removed_folder() -> bool:
    """Return whether the current folder was removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _caches() -> list[str]:
    """Return the folders in which Hugging Face libraries keep files, that of `datasets` first."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    home = os.environ.get("HF_HOME") or os.path.join(base, "huggingface")
    others = [os.environ.get(name) for name in ("HF_DATASETS_CACHE", "HF_HUB_CACHE", "HF_MODULES_CACHE")]
    return [*(os.path.abspath(folder) for folder in filter(None, others)), os.path.abspath(home)]


def _concerns_caches(name: str) -> bool:
    """Return whether a file is in a cache, or a folder in which the cache is to be made."""
    path = os.path.abspath(name)
    return any(os.path.commonpath([path, cache]) in (path, cache) for cache in _caches())
