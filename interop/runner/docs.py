"""What clients log, into docs/clients.md."""


def regenerate(file, runs):
    pass
