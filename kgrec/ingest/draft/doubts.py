"""Doubtful choices: asked, or shown first and marked.

Enters: a question with its possible answers, likeliest first. Leaves: the answer: that of `ask`, otherwise the first one; and
`Doubt`s, which are shown before the reasons and marked in the draft.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Doubt:
    """A question that the data do not decide, or a likely mistake."""

    #: a question, or a statement
    text: str
    #: possible answers, likeliest first; empty if there is nothing to choose
    answers: tuple[str, ...] = ()
    #: why the first answer is the likeliest, or what to do
    reason: str = ""

    def __str__(self) -> str:
        if not self.answers:
            return f"{self.text} {self.reason}".strip()
        others = "; ".join(self.answers[1:])
        return f"{self.text} Taken: {self.answers[0]}, since {self.reason}. Otherwise: {others}."


#: returns the index of the answer to a doubt that has several
Ask = Callable[[Doubt], int]


@dataclass
class Doubts:
    """The doubts about one draft."""

    #: None: no user can be asked
    ask: Ask | None = None
    #: unanswered doubts
    open: list[Doubt] = field(default_factory=list)

    def choose(self, question: str, answers: Sequence[str], reason: str) -> tuple[int, str]:
        """Ask, or take the first answer; returns its index, and the reason."""
        doubt = Doubt(question, tuple(answers), reason)
        if self.ask is None:
            self.open.append(doubt)
            return 0, f"{reason}: see CHECK {len(self.open)}"
        return self.ask(doubt), "you chose it"

    def warn(self, problem: str, remedy: str) -> str:
        """Record a likely mistake; returns a comment that marks a line of kgrec.yaml with it."""
        self.open.append(Doubt(problem, (), remedy))
        return self.mark

    @property
    def mark(self) -> str:
        """A comment that marks a line of kgrec.yaml with the last doubt."""
        return f"  # CHECK {len(self.open)}"
