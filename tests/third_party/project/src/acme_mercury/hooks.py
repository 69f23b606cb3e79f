"""What this plugin provides. Light: nothing that it provides is imported here."""

from mercury_core import Provider, hookimpl

MERCURY_API = 1


@hookimpl
def mercury_read():
    """Fixed-width text."""
    return [Provider("acme.fixed", "acme_mercury.fixed:read_fixed", "Fixed-width text")]


@hookimpl
def mercury_transform():
    """Clipping."""
    return [Provider("acme.clip", "acme_mercury.clip:Clip", "Numbers within what training has seen")]


@hookimpl
def mercury_fit():
    """The mean."""
    return [Provider("acme.mean", "acme_mercury.mean:fit_mean", "Predicts the mean of the targets")]


@hookimpl
def mercury_save():
    """The mean, in a text file."""
    return [Provider("acme.text", "acme_mercury.mean:TEXT", "The mean as text")]


@hookimpl
def mercury_evaluate():
    """How many predictions are near."""
    return [Provider("acme.within", "acme_mercury.within:within", "Share of predictions within a tolerance")]


@hookimpl
def mercury_copy():
    """Objects in memory."""
    return [Provider("mem", "acme_mercury.memory:MemoryStore", "Objects in the memory of this process")]


@hookimpl
def mercury_step_finished(step, seconds):
    """Say which step is done, where somebody asks for it."""
    import os
    from pathlib import Path

    if log := os.environ.get("ACME_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{step}\n")
