"""A language model behind an endpoint that speaks OpenAI's chat completions."""

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from mkbench.errors import EndpointError, UsageError
from mkbench.language_models.answer_log import Answer

OPENAI = "https://api.openai.com/v1"
_UNAVAILABLE = {408, 409, 429}
_REFUSED_FORM = {400, 422}  # how endpoints answer that know no structured output
_MOST_CHARACTERS = 200
_SHORTEST_SECRET = 8  # what people set for endpoints that want any key, such as "x", is no secret


class UnansweredError(Exception):
    """A question that the endpoint did not answer now, though it may later.

    Attributes:
        wait: seconds after which the endpoint wants to be asked again; None where it does not say.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def import_openai() -> Any:
    """Return the library `openai`, which is imported only here: it takes a second.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import openai  # noqa: PLC0415

        _ = openai.OpenAI  # a folder called `openai` can be imported too
    except (ImportError, AttributeError) as error:
        raise UsageError(
            "Expected the library `openai` for answers of a language model, found none; install it with "
            "pip install 'mkbench[llm]'."
        ) from error
    return openai


@dataclass(frozen=True)
class Endpoint:
    """Endpoint of a language model, and how to ask it.

    The key comes from an environment variable alone, so that no configuration, result or message can hold it.

    Args:
        model: the model's id, as the endpoint calls it.
        base_url: address of an endpoint that speaks OpenAI's chat completions, such as ``http://localhost:8000/v1``.
        api_key_variable: environment variable with the key. None is ``OPENAI_API_KEY`` for OpenAI itself, and no key
            for any other endpoint, so that a key never goes where it does not belong.
        temperature: of the sampling; None leaves it to the endpoint, for models that take no other.
        timeout: seconds to wait for an answer.
        max_retries: how often to ask again after a rate limit, a time-out or a fault of the endpoint; the waits double
            from half a second up to half a minute, or are as long as the endpoint says.
        concurrency: questions asked at the same time.

    Raises:
        UsageError: a value out of range, or a password in the address.

    >>> Endpoint("llama", base_url="http://localhost:8000/v1?version=1").address
    'http://localhost:8000/v1'
    """

    model: str
    base_url: str = OPENAI
    api_key_variable: str | None = None
    temperature: float | None = 0.0
    timeout: float = 60.0
    max_retries: int = 6
    concurrency: int = 4

    def __post_init__(self) -> None:
        if "@" in urlsplit(self.base_url).netloc:
            raise UsageError(
                "Expected a base_url without a name or password, which saved configurations would hold, found one; "
                "name the environment variable of the key with api_key_variable."
            )
        if self.timeout <= 0 or self.max_retries < 0 or self.concurrency < 1:
            raise UsageError(
                "Expected a positive timeout, max_retries of 0 or more and a concurrency of 1 or more, found "
                f"{self.timeout}, {self.max_retries} and {self.concurrency}."
            )

    @property
    def address(self) -> str:
        """The endpoint in a message, without what an address may hold of secrets behind a question mark."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def settings(self) -> dict[str, object]:
        """Every choice that changes answers."""
        return {"model": self.model, "temperature": self.temperature}


class ChatClient:
    """Asks an endpoint one question at a time; several threads may ask at once.

    Args:
        endpoint: the model.
        environment: where the key is looked up.
        schema: JSON schema of an object that answers are asked to follow ("structured output"). An endpoint that
            refuses it is asked without, so that answers still have to be read with care.

    Raises:
        UsageError: the library is not installed, or there is no usable key.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        environment: Mapping[str, str] = os.environ,
        *,
        schema: Mapping[str, Any] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._schema = schema
        self._openai = import_openai()
        self._key = _find_key(endpoint, environment)
        self._client = self._openai.OpenAI(
            api_key=self._key or "none",
            base_url=endpoint.base_url,
            timeout=endpoint.timeout,
            max_retries=0,  # the library's own waits cannot be interrupted
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, prompt: str) -> Answer:
        """Ask one question once.

        Raises:
            UnansweredError: no answer now.
            UsageError: the endpoint does not accept the key, the model or the question.
        """
        openai, endpoint, schema = self._openai, self.endpoint, self._schema
        how: dict[str, Any] = {} if endpoint.temperature is None else {"temperature": endpoint.temperature}
        if schema is not None:
            described = {"name": "answer", "schema": schema, "strict": True}
            how["response_format"] = {"type": "json_schema", "json_schema": described}
        messages = [{"role": "user", "content": prompt}]
        try:
            completion = self._client.chat.completions.create(model=endpoint.model, messages=messages, **how)
        except openai.APITimeoutError as error:
            raise UnansweredError(f"no answer within {endpoint.timeout:g} s") from error
        except openai.APIConnectionError as error:
            raise UnansweredError(f"no connection: {self._clean(error.__cause__ or error)}") from error
        except openai.APIStatusError as error:
            if schema is not None and error.status_code in _REFUSED_FORM and error.code != "content_filter":
                self._schema = None
                return self.ask(prompt)
            return self._answer_to_status(error)
        except (openai.APIError, ValueError, RecursionError) as error:
            raise UnansweredError("a reply that is no chat completion") from error
        return self._read(completion)

    def _answer_to_status(self, error: Any) -> Answer:
        status, code = error.status_code, error.code
        if code == "content_filter":  # how Azure refuses
            return Answer(None, finish_reason="content_filter")
        if code != "insufficient_quota" and (status in _UNAVAILABLE or status >= 500):
            wait = read_wait(error.response.headers.get("retry-after", ""))
            raise UnansweredError(f"status {status}: {self._clean(error)}", wait) from error
        raise UsageError(
            f"Expected an answer from {self.endpoint.model} at {self.endpoint.address}, found status {status} "
            f"({self._clean(error)}); check model, base_url and api_key_variable."
        ) from error

    def _read(self, completion: Any) -> Answer:
        """The answer in a completion; an endpoint may send anything, whatever the library's types say."""
        try:
            choice = completion.choices[0]
            parts = choice.message.content, choice.finish_reason, getattr(choice.message, "refusal", None)
        except (AttributeError, TypeError, IndexError) as error:
            raise UnansweredError("a reply that is no chat completion") from error
        return Answer(*map(self._text, parts))

    def _text(self, value: object) -> str | None:
        return self._without_key(value) if isinstance(value, str) else None

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "***") if len(self._key) >= _SHORTEST_SECRET else text

    def _clean(self, error: BaseException) -> str:
        """Words of an endpoint on one line, without the key and without what a terminal might obey."""
        words = " ".join(self._without_key(str(error)).split())
        shown = "".join(filter(str.isprintable, words))
        return shown if len(shown) <= _MOST_CHARACTERS else f"{shown[:_MOST_CHARACTERS]}..."


def read_wait(header: str) -> float | None:
    """Read a Retry-After header, in seconds or as a date: seconds from now, None if it says nothing.

    >>> read_wait("7"), read_wait("Thu, 01 Jan 1970 00:00:00 GMT"), read_wait("soon"), read_wait("nan")
    (7.0, 0.0, None, None)
    """
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _find_key(endpoint: Endpoint, environment: Mapping[str, str]) -> str:
    """The key; empty for an endpoint of one's own that is given none."""
    variable = endpoint.api_key_variable or ("OPENAI_API_KEY" if endpoint.base_url == OPENAI else None)
    if variable is None:
        return ""
    key = environment.get(variable, "").strip()
    if not (key and key.isascii() and key.isprintable()):
        found = "other characters" if key else "none"
        raise UsageError(
            f"Expected the key of {endpoint.address} in plain letters in the environment variable {variable}, found "
            f"{found}; set it, or name another endpoint with base_url."
        )
    return key


def no_answer(endpoint: Endpoint, found: str) -> EndpointError:
    """Return the error for questions without an answer.

    >>> str(no_answer(Endpoint("llama", base_url="http://localhost/v1"), "none to 1 of 4 questions (status 500)"))
    'Expected answers from llama at http://localhost/v1, found none to 1 of 4 questions (status 500); run the same...'
    """
    return EndpointError(
        f"Expected answers from {endpoint.model} at {endpoint.address}, found {found}; run the same command again to "
        "ask for what is missing."
    )
