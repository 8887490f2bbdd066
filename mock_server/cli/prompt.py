"""The prompt of a console at a terminal: history, completion, editing keys."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import DummyHistory, History
from prompt_toolkit.shortcuts import CompleteStyle

from mock_server.cli.shell import PROMPT
from mock_server.cluster.commands.table import completions
from mock_server.files import write_private

_KEPT = 1000
"""Lines of history that are kept."""


class Prompt:
    """A `shell.Reader` at a terminal. Answers to questions are no part of the history."""

    lasting = True

    def __init__(self, history: Path) -> None:
        self._lines: PromptSession[str] = PromptSession(
            PROMPT,
            history=PrivateHistory(history),
            completer=Commands(),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            enable_suspend=True,
            reserve_space_for_menu=0,
        )
        self._answers: PromptSession[str] = PromptSession(history=DummyHistory())
        self._pasted: list[str] = []

    def line(self) -> str | None:
        """The next line; what was pasted as several is given one by one."""
        if self._pasted:
            return self._pasted.pop(0)
        try:
            lines = self._lines.prompt().splitlines()
        except EOFError:
            return None
        self._pasted = lines[1:]
        return lines[0] if lines else ""

    def answer(self, question: str) -> str:
        try:
            return self._answers.prompt(f"{question} ")
        except EOFError:
            return ""


class Commands(Completer):
    """The commands, their options, and what `help` takes."""

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        word = document.get_word_before_cursor(WORD=True)
        for found in completions(before):
            yield Completion(found, -len(word))


class PrivateHistory(History):
    """The last lines of all consoles, in a file for this user alone. Without a place for it there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__()

    def load_history_strings(self) -> Iterable[str]:
        """Newest first. A file that has grown long is cut."""
        try:
            lines = self._path.read_text("utf-8", "replace").splitlines()
            if len(lines) > 2 * _KEPT:
                write_private(self._path, "".join(f"{line}\n" for line in lines[-_KEPT:]).encode())
        except OSError:
            return []
        return reversed(lines[-_KEPT:])

    def store_string(self, string: str) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as file:
                file.writelines(f"{line}\n" for line in string.splitlines())
        except OSError:
            return  # it is a help for the next time; what was asked is done
