"""The parts of notify's messages: what a notification is about, what its text can use, and how somebody wants to be told."""

import re
from datetime import time
from typing import Annotated, Final

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from shared.messages.fields import Identifier, Message, Published, TimeZoneName
from shared.messages.money import Money
from shared.messages.notify.vocabulary import Channel

_CLOCK_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def _parse_clock_time(value: object) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not _CLOCK_TIME.fullmatch(value):
        message = "a time of day is HH:MM, 00:00 to 23:59"
        raise ValueError(message)
    return time.fromisoformat(value)


#: What a clock on the wall shows, to the minute.
ClockTime = Annotated[
    time,
    PlainValidator(_parse_clock_time),
    PlainSerializer(lambda value: f"{value:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}),
]

#: Ids, times and amounts: nothing personal.
ParameterValue = Annotated[str, Field(max_length=256)] | Annotated[int, Field(ge=-(2**53), le=2**53)] | bool | Money | None


class About(Message):
    """What a notification is about."""

    entity: Identifier
    """Its kind, such as `appointment`, `call`, `text_session`, `subscription`."""
    entity_id: Identifier
    """Its id."""
    version: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """The version in the event that is the cause: what was known from before it makes the notification stale no more than what is unknown."""


class ChannelChoices(Message):
    """Which channels a recipient wants. All of them, until somebody says otherwise."""

    email: bool = True
    """Whether by e-mail."""
    push: bool = True
    """Whether by push messages on a device."""
    sms: bool = True
    """Whether by text messages."""
    chat: bool = True
    """Whether in a chat."""
    in_app: bool = True
    """Whether in the inbox of the application."""

    def wants(self, channel: Channel) -> bool:
        """Whether this one is wanted."""
        match channel:
            case Channel.EMAIL:
                return self.email
            case Channel.PUSH:
                return self.push
            case Channel.SMS:
                return self.sms
            case Channel.CHAT:
                return self.chat
            case Channel.IN_APP:
                return self.in_app


class QuietHours(Message):
    """When normal notifications wait: while the recipient's clock shows a time from start to before end, over midnight too."""

    start: ClockTime
    """The first quiet minute, such as `22:00`."""
    end: ClockTime
    """The first minute that is not quiet any more, such as `07:00`."""
    timezone: TimeZoneName
    """Of that clock: an IANA name, such as `Africa/Blantyre`."""

    @model_validator(mode="after")
    def _take_some_time(self) -> "QuietHours":
        if self.start == self.end:
            message = "quiet hours start and end at different times"
            raise ValueError(message)
        return self


class PublishedAbout(About):
    """What a notification is about."""

    model_config = Published.model_config


class PublishedChoices(ChannelChoices):
    """Which channels a recipient wants."""

    model_config = Published.model_config


class PublishedQuietHours(QuietHours):
    """When normal notifications wait."""

    model_config = Published.model_config
