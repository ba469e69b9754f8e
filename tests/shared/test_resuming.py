"""The note on an error that the same command resumes: only if there is something to resume."""

from __future__ import annotations

import pytest

from rocov2_shared.resuming import RESUME, resumable, resume_hint


def fail(error: BaseException, begun: bool | OSError) -> None:
    def has_begun() -> bool:
        if isinstance(begun, OSError):
            raise begun
        return begun

    with resumable(has_begun):
        raise error


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize(("begun", "hint"), [(False, ""), (PermissionError(), ""), (True, f" {RESUME}")])
def test_an_error_is_noted_if_something_was_done(error: BaseException, begun: bool | OSError, hint: str) -> None:
    error.__dict__.clear()
    with pytest.raises(type(error)) as caught:
        fail(error, begun)
    assert resume_hint(caught.value) == hint


def test_without_an_error_nothing_is_asked() -> None:
    with resumable(lambda: pytest.fail("nothing to resume")):
        pass
    assert resume_hint(None) == resume_hint(OSError()) == ""
