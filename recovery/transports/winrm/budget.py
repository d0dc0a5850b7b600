"""Who ends when, of all that waits for one script on Windows: each well before who waits for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Seconds since the command was sent; on the machine, since its PowerShell was started.

    ======== ======================================== ==============================
    end      what ends then                           of 5 s / 20 s / 10 min it has
    ======== ======================================== ==============================
    answer   we stop waiting for the answer           4.4 / 18.0 / 598.0
    whole    the bootstrap gives the script up        3.1 / 14.0 / 594.0
    script   the script itself is done and answers    2.5 / 12.0 / 592.0
    program  a program that it runs is ended          1.9 / 9.0 / 587.0
    ======== ======================================== ==============================
    """

    answer: float
    whole: float
    script: float
    program: float
    removal: float
    """How long taking the command off the machine may take, after ``answer``."""

    @property
    def ending(self) -> float:
        """Seconds that the end of a program and its children may take."""
        return (self.script - self.program) * 0.8

    @classmethod
    def of(cls, seconds: float) -> Budget:
        """What is to be had of ``seconds``, the whole time that is left."""
        # The way of the command and of the answer; the rest of it is for removing the command.
        way = min(2.0, seconds / 8)
        whole = seconds - 3 * way
        script = whole - min(2.0, whole / 5)
        return cls(seconds - way, whole, script, script - min(5.0, script / 4), way)
