"""Who is told what about units and what they cost: from an event to notification requests. Pure."""

from collections.abc import Sequence

from shared.messages.billing import (
    BalanceExhausted,
    BalanceLow,
    Money,
    SessionSettled,
    SubscriptionActivated,
    SubscriptionEvent,
    SubscriptionExpired,
)
from shared.messages.fields import EventData, Modality, format_time
from shared.messages.notify import About, ParameterValue, Template
from shared.notices import Notice


def notices_of(event: EventData) -> Sequence[Notice]:
    """Who is told what, as the contract's table says."""
    match event:
        case SubscriptionActivated():
            return [_of_subscription(event, Template.SUBSCRIPTION_ACTIVATED)]
        case SubscriptionExpired():
            return [_of_subscription(event, Template.SUBSCRIPTION_EXPIRED)]
        case SessionSettled():
            return [_settled(event, recipient_id) for recipient_id in (event.patient_id, event.doctor_id)]
        case BalanceLow():
            return [_of_balance(event, Template.BALANCE_LOW, remaining=event.remaining)]
        case BalanceExhausted():
            return [_of_balance(event, Template.BALANCE_EXHAUSTED, remaining=0)]
        case _:
            return []


def _of_subscription(event: SubscriptionEvent, template: Template) -> Notice:
    params: dict[str, ParameterValue] = {
        "subscription_id": event.subscription_id,
        "patient_id": event.patient_id,
        "starts_at": format_time(event.starts_at),
        "ends_at": format_time(event.ends_at),
        "units_text": event.units.text,
        "units_voice": event.units.voice,
        "units_video": event.units.video,
    }
    about = About(entity="subscription", entity_id=event.subscription_id, version=event.version)
    return Notice(recipient_id=event.patient_id, template=template, params=params, about=about)


def _settled(event: SessionSettled, recipient_id: str) -> Notice:
    params: dict[str, ParameterValue] = {
        "session_id": event.session_id,
        "doctor_id": event.doctor_id,
        "patient_id": event.patient_id,
        "modality": event.modality,
        "units_deducted": event.units_deducted,
        "units_refused": event.units_refused,
        "earning": Money(amount_minor=event.earning.amount_minor, currency=event.earning.currency),
    }
    return Notice(recipient_id=recipient_id, template=Template.SESSION_SETTLED, params=params, about=_session(event))


def _of_balance(event: BalanceLow | BalanceExhausted, template: Template, *, remaining: int) -> Notice:
    params: dict[str, ParameterValue] = {
        "session_id": event.session_id,
        "doctor_id": event.doctor_id,
        "patient_id": event.patient_id,
        "modality": event.modality,
        "remaining": remaining,
    }
    return Notice(recipient_id=event.patient_id, template=template, params=params, about=_session(event))


def _session(event: SessionSettled | BalanceLow | BalanceExhausted) -> About:
    """What it is about; none of these becomes untrue, so no version is compared."""
    entity = "text_session" if event.modality is Modality.TEXT else "call"
    return About(entity=entity, entity_id=event.session_id)
