"""Where a key belongs: murmur2, as Java's producer computes it. Written out here, so that a fault in a client's copy would be seen."""

from functools import lru_cache
from typing import Final

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_SHIFT: Final = 24
_WORD_BYTES: Final = 4


@lru_cache(maxsize=65_536)
def murmur2(data: bytes) -> int:
    """Murmur2 of 32 bits with the seed that Kafka uses, as an unsigned number."""
    length = len(data)
    whole = length - length % _WORD_BYTES
    value = _SEED ^ length
    for start in range(0, whole, _WORD_BYTES):
        word = int.from_bytes(data[start : start + _WORD_BYTES], "little") * _MULTIPLIER & _MASK
        word ^= word >> _SHIFT
        value = (value * _MULTIPLIER & _MASK) ^ (word * _MULTIPLIER & _MASK)
    if whole < length:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    value ^= value >> 13
    value = value * _MULTIPLIER & _MASK
    return value ^ value >> 15


def place_of(hashed: int, partition_count: int) -> int:
    """The partition on which a key with this murmur2 belongs."""
    return (hashed & 0x7FFFFFFF) % partition_count


def partition_of(key: bytes, partition_count: int) -> int:
    """The partition on which a record with this key belongs."""
    return place_of(murmur2(key), partition_count)
