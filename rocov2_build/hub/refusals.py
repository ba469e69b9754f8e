"""Errors of the Hub and of the connection to it, explained. No message contains the token."""

from __future__ import annotations

from collections.abc import Iterator

from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

from rocov2_shared.errors import UserError
from rocov2_shared.resuming import RESUME
from rocov2_shared.retry import asked_pause
from rocov2_shared.terminal import format_seconds

TOKENS = "https://huggingface.co/settings/tokens"

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
    return asked_pause(answer.response.headers.get("Retry-After")) if answer else 0.0


def is_network_failure(error: Exception) -> bool:
    """Return whether the connection failed."""
    return any(
        type(cause).__module__.partition(".")[0] in _NETWORK or isinstance(cause, (ConnectionError, TimeoutError))
        for cause in _causes(error)
        if not isinstance(cause, OfflineModeIsEnabled)
    )


def _explain_answer(answer: HfHubHTTPError, repo_id: str) -> str:
    status = answer.response.status_code
    organization = repo_id.partition("/")[0]
    message = f" Message of the Hub: {answer.server_message}." if answer.server_message else ""
    if status == 401:
        return (
            f"the Hub rejected the token (401): create one with write access at {TOKENS}, then run `hf auth login` or set "
            f"HF_TOKEN. {RESUME}"
        )
    if status == 403:
        return (
            f"the token has no write access to {repo_id} (403): give it write access to {organization} at {TOKENS}."
            f"{message} {RESUME}"
        )
    if status == 404:
        return (
            f"{repo_id} or {organization} does not exist on the Hub, or the token cannot see it (404): check the name."
            f"{message}"
        )
    if status == 409:
        return (
            f"{repo_id} already exists, or is being changed right now (409): check the name, or wait and try again."
            f"{message} {RESUME}"
        )
    if status == 429:
        pause = find_pause(answer)
        when = f"in {format_seconds(pause)}" if pause else "later"
        return f"the Hub limits the number of requests (429): try again {when}. {RESUME}"
    if status >= 500:
        return f"the Hub has a problem ({status}): try again later.{message} {RESUME}"
    return f"the Hub refused the request ({status}).{message or f' {answer}'}"


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
