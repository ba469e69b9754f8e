"""Errors of the Hub and of the connection to it, explained. No message contains the token."""

from __future__ import annotations

import re
from collections.abc import Iterator

from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

from rocov2_shared.errors import UserError
from rocov2_shared.resuming import RESUME
from rocov2_shared.retry import asked_pause
from rocov2_shared.terminal import format_seconds

TOKENS = "https://huggingface.co/settings/tokens"

_LONGEST_REASON = 500
"""Characters; storages answer with whole documents."""

_ABOUT_ACCESS = re.compile(r"\b(right|permission|token|access|authori[sz]|credential|write)", re.IGNORECASE)
"""Words of reasons that have to do with the token."""

_NETWORK = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")


def explain(error: Exception, repo_id: str, token: str | None) -> UserError:
    """Return the error as one message with its remedy.

    Args:
        error: what a request to the Hub raised.
        repo_id: `org/name` of the repository.
        token: removed from the message.
    """
    answer = find_answer(error)
    text = _explain_answer(answer, repo_id) if answer else _explain_failure(error)
    return UserError(text.replace(token, "***") if token else text)


def find_answer(error: Exception) -> HfHubHTTPError | None:
    """Return the Hub's answer that caused an error, if there is one: errors of uploads are wrapped."""
    return next((cause for cause in _causes(error) if isinstance(cause, HfHubHTTPError)), None)


def find_pause(answer: HfHubHTTPError | None) -> float:
    """Return the seconds that an answer asks to wait; 0 if it asks for none."""
    return asked_pause(answer.response.headers) if answer else 0.0


def find_reason(answer: HfHubHTTPError) -> str:
    """Return the Hub's own words about a refusal, as one line without a full stop; "" if it says nothing."""
    words = " ".join((answer.server_message or "").split())
    return (words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}...").rstrip(".")


def describe(answer: HfHubHTTPError) -> str:
    """Return an answer in a few words, with the Hub's own."""
    reason = find_reason(answer)
    return f"the Hub answered {answer.response.status_code}{f': {reason}' if reason else ''}"


def is_network_failure(error: Exception) -> bool:
    """Return whether the connection failed."""
    return any(
        type(cause).__module__.partition(".")[0] in _NETWORK or isinstance(cause, (ConnectionError, TimeoutError))
        for cause in _causes(error)
        if not isinstance(cause, OfflineModeIsEnabled)
    )


def _explain_answer(answer: HfHubHTTPError, repo_id: str) -> str:
    status, reason = answer.response.status_code, find_reason(answer)
    shown = f" Message of the Hub: {reason}." if reason else ""
    return f"{_fact(status, repo_id)}.{shown} {_advice(status, repo_id, reason, find_pause(answer))}"


def _fact(status: int, repo_id: str) -> str:
    organization = repo_id.partition("/")[0]
    facts = {
        401: "the Hub rejected the token",
        404: f"{repo_id} or {organization} does not exist on the Hub, or the token cannot see it",
        409: f"{repo_id} already exists, or is being changed right now",
        429: "the Hub limits the number of requests",
    }
    other = "the Hub has a problem" if status >= 500 else "the Hub refused the request"
    return f"{facts.get(status, other)} ({status})"


def _advice(status: int, repo_id: str, reason: str, pause: float) -> str:
    organization = repo_id.partition("/")[0]
    if status == 401:
        return f"Create a token with write access at {TOKENS}, then run `hf auth login` or set HF_TOKEN. {RESUME}"
    if status == 403 and (not reason or _ABOUT_ACCESS.search(reason)):
        return f"The token needs write access to {organization}: see {TOKENS}. {RESUME}"
    if status == 403:
        return f"Do what the message says, or ask the Hub's support. {RESUME}"
    if status == 404:
        return "Check the name."
    if status == 409:
        return f"Check the name, or wait and try again. {RESUME}"
    if status == 429:
        return f"Try again {f'in {format_seconds(pause)}' if pause else 'later'}. {RESUME}"
    return f"Try again later. {RESUME}" if status >= 500 else RESUME


def _explain_failure(error: Exception) -> str:
    if isinstance(error, OfflineModeIsEnabled):
        return "environment variable HF_HUB_OFFLINE prevents requests to the Hub: unset it"
    if isinstance(error, HFValidationError):
        return f"huggingface_hub rejected the name: {error}"
    if is_network_failure(error):
        return f"the connection to the Hub failed ({_innermost(error)}): check the network. {RESUME}"
    return f"{_innermost(error)} ({type(error).__name__}). {RESUME}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _innermost(error: Exception) -> str:
    return str(list(_causes(error))[-1]) or type(error).__name__
