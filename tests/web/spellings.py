"""Ways to write a URL that leads, or that some program would let lead, to this machine or its networks."""

from __future__ import annotations

LOOPBACK = [
    "http://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://017700000001:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7F.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.01:{port}/",
    "http://0177.0x0.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.127.127.127:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::80ff:fffe]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "http://localhost.localdomain:{port}/",
    "http://ip6-loopback:{port}/",
    "http://user:hunter2@127.0.0.1:{port}/",
    "http://hunter2@127.0.0.1:{port}/",
    "http://example.com:80@127.0.0.1:{port}/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: example.com",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "file://127.0.0.1:{port}/",
]
"""All lead to the loopback port, or would if they were believed."""

NAMES = {
    "http://127.0.0.1.nip.io:{port}/": ["127.0.0.1"],
    "http://7f000001.nip.example:{port}/": ["127.0.0.1"],
    "http://mixed.example:{port}/": ["93.184.215.14", "127.0.0.1"],
    "http://six.example:{port}/": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"],
    "http://mapped.example:{port}/": ["::ffff:127.0.0.1"],
    "http://wrapped.example:{port}/": ["64:ff9b::7f00:1"],
    "http://zone.example:{port}/": ["fe80::1%eth0"],
    "http://sub.localhost:{port}/": ["127.0.0.1"],
    "http://localhost.example:{port}/": ["127.0.0.1", "::1"],
    "http://1.0.0.127.in-addr.example:{port}/": ["127.0.0.1"],
    "http://BÜCHER.example:{port}/": ["127.0.0.1"],
    "http://metadata.google.internal/": ["169.254.169.254"],
}
"""Names whose owner lets them lead there, with what a resolver answers."""

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "168.63.129.16",
    "169.254.1.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::a00:1", "64:ff9b:1::808:808", "100::1", "2001::1",
    "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
"""Addresses that are not of the public internet."""

OUTSIDE = [
    "1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.254",
    "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888",
]  # fmt: skip
"""Addresses of the public internet."""
