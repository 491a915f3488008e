"""What a handler may raise. `bus` and `stateful` map these to actions; anything else is a bug and stops the process."""


class Outcome(Exception):  # noqa: N818 - outcomes are named as what happened to the message
    """A named end of handling one message.

    reason: one sentence of ours. It reaches logs and dead letters, so it never quotes the message.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Invalid(Outcome):
    """This message can never be handled. Goes to the dead-letter topic with this reason."""


class Transient(Outcome):
    """Try again later. Nothing after it overtakes; bounded, then the process stops with nothing committed."""
