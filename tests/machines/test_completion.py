"""Completion as the shells have it: what is offered is what the programs take."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from imap4.arguments import leaves
from tools.completion import PROGRAMS, SHELLS, main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make completion`` writes."""
    made = tmp_path_factory.mktemp("completion")
    main(made)
    return made


def completed(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last word."""
    program = words[0]
    script = (
        f"source {folder}/bash/{program}\n"
        # It may only be called while the shell completes; where it is not, it has nothing to say.
        "compopt() { :; }\n"
        'function=$(complete -p "$1" | sed -E "s/.* -F ([^ ]+) .*/\\1/")\n'
        'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))\n'
        '"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    ended = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, timeout=30)
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("imap4-monitor", "v"), ["validate"]),
        (("imap4-monitor", "render", ""), ["nagios", "naemon", "icinga2"]),
        (("imap4-monitor", "simulate", "--format", "j"), ["json"]),
        (("imap4-recovery", "res"), ["restart-service", "resume"]),
        (("imap4-recovery", "credentials", "te"), ["test"]),
        (("imap4-recovery", "history", "list", "--st"), ["--state-folder"]),
        (("imap4-worker", "s"), ["status", "sweep"]),
        (("imap4-worker", "sweep", "--on"), ["--once"]),
        (("imap4-worker", "status", "--js"), ["--json"]),
        (("imap4-worker", "--wor"), ["--workers"]),
        (("check_imap4", "--logout", "w"), ["warning"]),
    ],
)
def test_bash_offers_commands_choices_and_options(
    folder: Path, words: tuple[str, ...], offered: list[str]
) -> None:
    assert completed(folder, *words) == offered


LEAVES = [
    (program, leaf.prog) for program, make in PROGRAMS.items() for leaf in leaves(make()) if leaf.add_help
]


@pytest.mark.parametrize(("program", "command"), LEAVES, ids=[command for _, command in LEAVES])
def test_bash_offers_every_option_that_the_help_has(folder: Path, program: str, command: str) -> None:
    leaf = next(leaf for leaf in leaves(PROGRAMS[program]()) if leaf.prog == command)
    told = set(re.findall(r"--[a-z][a-z-]+", leaf.format_help().partition("\nexamples:")[0]))
    known = {option for action in leaf._actions for option in action.option_strings}
    assert told & known <= set(completed(folder, *command.split(), "-"))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_shell_can_read_its_file(folder: Path, shell: str, program: str) -> None:
    path = folder / shell / SHELLS[shell].format(program)
    assert path.stat().st_size > 500
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", str(path)], check=True)
