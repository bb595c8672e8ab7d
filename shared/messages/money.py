"""Amounts of money, as the messages of several services have them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.messages.fields import Message

#: An ISO 4217 code.
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Money(Message):
    """An amount of money."""

    amount_minor: Annotated[int, Field(ge=0)]
    """In minor units, such as cents."""
    currency: Currency
    """An ISO 4217 code; `XXX` for an amount of 0 that belongs to none."""
