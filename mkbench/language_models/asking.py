"""Questions to a language model in parallel, with each answer kept as it comes."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mkbench.language_models.answer_log import Answer, AnswerLog
from mkbench.language_models.endpoint import ChatClient, Endpoint, UnansweredError, no_answer

#: So many questions in a row without an answer, and the rest are not asked: the endpoint is down.
PATIENCE = 3
#: Seconds to wait: the first time, the longest by itself, and the longest that an endpoint may ask for.
FIRST_WAIT, LONGEST_WAIT, LONGEST_ASKED = 0.5, 30.0, 300.0


def question_key(endpoint: Endpoint, prompt: str, schema: Mapping[str, Any] | None = None) -> str:
    """Hash a question with all that its answer depends on.

    Args:
        endpoint: whom it is for.
        prompt: the question.
        schema: form of the answer, None where there is none.

    >>> one, other = (question_key(Endpoint("llama", temperature=heat), "Why?") for heat in (0.0, 1.0))
    >>> len(one), one == other
    (64, False)
    """
    asked = [endpoint.settings(), prompt, *([] if schema is None else [schema])]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def ask_all(
    endpoint: Endpoint,
    prompts: Sequence[str],
    *,
    doing: str,
    log: Path | None = None,
    schema: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> list[Answer]:
    """Ask all questions that the log has no answer to.

    Args:
        endpoint: whom to ask.
        prompts: the questions; equal ones are asked once.
        doing: what the bar calls it.
        log: file that answers are added to as they come, so that an interrupted run asks only for the missing ones;
            None keeps none.
        schema: JSON schema that answers are asked to follow, see ``ChatClient``.
        progress: draw a bar on standard error.

    Returns:
        An answer to each question, in their order.

    Raises:
        EndpointError: a question stayed without an answer; the answers to the others are in the log.
        UsageError: the library is not installed, or the endpoint does not accept the key, the model or the question.
    """
    kept = AnswerLog(log)
    keys = [question_key(endpoint, prompt, schema) for prompt in prompts]
    missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in kept.answers}
    if missing:
        client = ChatClient(endpoint, schema=schema)
        bar = _bar(doing, done=len(keys) - len(missing), of=len(keys), shown=progress)
        try:
            _ask_missing(client, missing, kept, bar)
        finally:
            client.close()
    return [kept.answers[key] for key in keys]


def _bar(doing: str, *, done: int, of: int, shown: bool) -> Progress:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        disable=not shown,
    )
    bar.add_task(doing, completed=done, total=of)
    return bar


def _ask_missing(client: ChatClient, missing: dict[str, str], log: AnswerLog, progress: Progress) -> None:
    """Ask; an error ends it after the questions that are under way, whose answers are kept too."""
    stop = threading.Event()

    def ask(key: str, prompt: str) -> None:
        log.add(key, ask_patiently(client, prompt, stop))

    with progress, ThreadPoolExecutor(client.endpoint.concurrency) as pool:
        try:
            _collect([pool.submit(ask, key, prompt) for key, prompt in missing.items()], client.endpoint, progress)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def ask_patiently(client: ChatClient, prompt: str, stop: threading.Event) -> Answer:
    """Ask until there is an answer, at most ``max_retries`` times again.

    Args:
        client: whom to ask.
        prompt: the question.
        stop: once it is set, nothing is asked again.

    Raises:
        UnansweredError: no answer, or the endpoint asks for more than five minutes.
        UsageError: as ``ChatClient.ask``.
    """
    for attempt in range(client.endpoint.max_retries):
        try:
            return client.ask(prompt)
        except UnansweredError as failure:
            wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) if failure.wait is None else failure.wait
            if wait > LONGEST_ASKED or stop.wait(wait):
                raise
    return client.ask(prompt)


def _collect(futures: list["Future[None]"], endpoint: Endpoint, progress: Progress) -> None:
    unanswered, in_a_row, last = 0, 0, ""
    for future in as_completed(futures):
        try:
            future.result()
        except UnansweredError as failure:
            unanswered, in_a_row, last = unanswered + 1, in_a_row + 1, str(failure)
            if in_a_row == PATIENCE:
                raise no_answer(endpoint, f"none to {in_a_row} questions in a row ({last})") from failure
        else:
            in_a_row = 0
            progress.advance(progress.task_ids[0])
    if unanswered:
        raise no_answer(endpoint, f"none to {unanswered} of {len(futures)} questions ({last})")
