"""Old place of `StateSnapshot`, `StateTask`, `StateUpdate`; now at the door, `penstock.runtime`."""

from penstock.runtime.deprecation import moved

__getattr__ = moved(__name__, "StateSnapshot", "StateTask", "StateUpdate")
