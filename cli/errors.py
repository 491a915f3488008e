"""How a command fails: one sentence, exit code 1."""


class CliError(Exception):
    """What is wrong and what to do, in one sentence for the person at the terminal."""
