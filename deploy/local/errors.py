"""What can go wrong with a stack, said in one sentence."""


class StackError(Exception):
    """The stack cannot do what was asked; the message says why and what to do."""
