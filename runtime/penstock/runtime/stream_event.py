"""Old place of `StreamEvent`; now at the door, `penstock.runtime`."""

from penstock.runtime.deprecation import moved

__getattr__ = moved(__name__, "StreamEvent")
