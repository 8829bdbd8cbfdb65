"""How a carrier reaches a server on this machine: a public host name that leads to one port, and to nothing else."""

from patter_nb.tunnels.base import OpenTunnel, Tell, Tunnel

__all__ = ["OpenTunnel", "Tell", "Tunnel"]
