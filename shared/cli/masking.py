"""Keeps secrets off the terminal."""

from urllib.parse import urlsplit, urlunsplit


def mask_url(url: str) -> str:
    """Return the URL with its password replaced by ``***``."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{address}"))
