"""Old place of `Edge`, `Graph`, `Node`; now at the door, `penstock.runtime`."""

from penstock.runtime.deprecation import moved

__getattr__ = moved(__name__, "Edge", "Graph", "Node")
