"""Taking a turn on the machine around an action, so that two monitoring hosts do not repair it at once."""

from __future__ import annotations

from types import TracebackType

from imap4.deadline import Deadline
from recovery.actions.steps import Story, in_time
from recovery.decision.turns import NOTHING, Turn
from recovery.errors import ConnectFailed, HostKeyRejected, LoginFailed, RecoveryError
from recovery.model import Verdict
from recovery.platforms import Platform, detect, turns
from recovery.transports.link import Link

_AFTER = 10.0
"""Seconds by which what was begun on the machine may outlast our time: it ends it there itself."""
_END_SECONDS = 10.0
_TAKE_SECONDS = 10.0


class TurnTaken:
    """A turn, held while the block runs; without one that is to be taken, nothing but the platform.

    It ends with the block, and says on the machine how the story ended. A signal leaves it as it is: what was
    begun there may go on, and the turn ends by itself, or when this host takes its next one.
    """

    def __init__(self, link: Link, turn: Turn | None, deadline: Deadline, story: Story) -> None:
        self._link, self._turn, self._deadline, self._story = link, turn, deadline, story
        self._held = False
        self._kind = ""
        self.refusal = ""
        """Why the action must not be done now; "" where it may."""

    def platform(self) -> Platform:
        """What the machine is; asked for together with the turn.

        Raises:
            ConnectFailed: it is of a kind that is not known here.
        """
        return detect.named(self._kind) if self._kind else detect.detect(self._link, deadline=self._deadline)

    def __enter__(self) -> TurnTaken:
        if self._turn is None:
            return self
        found = self._take(self._turn)
        self._kind = found.platform
        self._held = not found.busy and not found.unkept
        self.refusal = self._turn.refusal(found.deeds)
        if found.busy and not self.refusal:
            self.refusal = "the machine is busy: another monitoring host is at work on it"
        if found.unkept:
            self._story.tell("turn", f"none could be taken on the machine: {found.unkept}")
            self._story.beside = f"the machine keeps no record of it for other hosts ({found.unkept})"
        elif not found.busy:
            left = in_time(self._deadline.left + _AFTER)
            self._story.tell("turn", f"taken on the machine, for {left} at most")
        return self

    def _take(self, turn: Turn) -> turns.Taken:
        # What hangs or fails there, but not the way to it, ends no repair.
        some = self._deadline.share(max(_TAKE_SECONDS, self._deadline.left / 4))
        try:
            return turns.take(self._link, turn, self._deadline.left + _AFTER, deadline=some)
        except (ConnectFailed, HostKeyRejected, LoginFailed):
            raise
        except RecoveryError as error:
            if self._deadline.left < 1:
                raise
            return turns.Taken("", unkept=str(error))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        story = self._story
        if self._turn is None or not self._held or (kind is not None and not issubclass(kind, Exception)):
            return
        # An error of ours says that nothing was done (recovery.actions: "before anything was done").
        nothing = not story.acted or (kind is not None and issubclass(kind, RecoveryError))
        said = NOTHING if nothing else (story.verdict or Verdict.FAILED).value
        for _ in range(2):
            # With the time its turn is over as well.
            if self._deadline.left <= 0:
                return
            try:
                problem = turns.end(self._link, self._turn, said, deadline=self._deadline.share(_END_SECONDS))
            except RecoveryError:
                # Over a link that went silent meanwhile; the turn ends by itself where this fails as well.
                self._link.drop()
                continue
            if problem:
                story.tell("turn", f"its end could not be written down on the machine: {problem}")
            return


def turn_refused(link: Link, turn: Turn | None, deadline: Deadline) -> str:
    """Why a turn could not be taken now; "" where it could. Looks, and writes nothing."""
    return "" if turn is None else turn.refusal(turns.look(link, turn, deadline=deadline).deeds)
