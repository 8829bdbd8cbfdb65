"""How a carrier reaches a server on this machine: a public host name that leads to one port, and to nothing else."""

from patter_nb.tunnels.base import OpenTunnel, Tell, Tunnel
from patter_nb.tunnels.cloudflare import CloudflareTunnel
from patter_nb.tunnels.given import read_tunnel
from patter_nb.tunnels.host import public_host
from patter_nb.tunnels.ngrok import Ngrok
from patter_nb.tunnels.static import Static

__all__ = ["CloudflareTunnel", "Ngrok", "OpenTunnel", "Static", "Tell", "Tunnel", "public_host", "read_tunnel"]
