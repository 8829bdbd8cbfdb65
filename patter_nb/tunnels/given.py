"""What a user gives as a tunnel."""

from __future__ import annotations

from patter_nb.errors import ConfigError, ConfigTypeError, brief
from patter_nb.tunnels.base import Tunnel
from patter_nb.tunnels.cloudflare import CloudflareTunnel
from patter_nb.tunnels.host import public_host
from patter_nb.tunnels.static import Static

_WAYS = 'True, CloudflareTunnel(), Ngrok() or Static("calls.example.com")'


def read_tunnel(tunnel: object, webhook_url: str = "") -> Tunnel | None:
    """The tunnel that `tunnel` and `webhook_url` ask for; None when they ask for none. True is one of Cloudflare's."""
    if isinstance(tunnel, type) and issubclass(tunnel, Tunnel):
        raise ConfigTypeError(f"tunnel is the class {tunnel.__name__}; give {tunnel.__name__}(), with brackets.")
    if tunnel is not None and not isinstance(tunnel, bool | Tunnel):
        raise ConfigTypeError(f"tunnel is {brief(tunnel)}; it must be {_WAYS}.")
    chosen = CloudflareTunnel() if tunnel is True else tunnel or None
    if not webhook_url:
        return chosen
    own = Static(public_host(webhook_url, "webhook_url"))
    if chosen is None or getattr(chosen, "hostname", "") == own.hostname:
        return own if chosen is None else chosen
    raise ConfigError(f"tunnel and webhook_url name two ways to this machine, {brief(chosen)} and {own.hostname}: give one.")
