"""Attacks below the endpoints: framing of requests, upgrades, connections, files that are bombs."""

from __future__ import annotations

import io
import json
import socket
import struct
import time
import zlib
from collections.abc import Callable

import pytest
from helpers.web_client import Answer, Client, multipart
from PIL import Image

Attack = Callable[[Client], Answer]

HEAD = "Host: HOST\r\nCookie: COOKIE\r\nConnection: close\r\n"
POST = f"POST /api/answers HTTP/1.1\r\n{HEAD}Origin: http://HOST\r\nContent-Type: application/json"
JOB = '{"model":0,"task":"model"}'
HIDDEN = f"GET /api/state HTTP/1.1\r\n{HEAD}\r\n"
"""A request in the place of a body: it must not be answered as a second one."""

CHUNKS = f"{len(JOB):x}\r\n{JOB}\r\n0\r\n\r\n"


def raw(text: str | bytes) -> Attack:
    """Send bytes as they are; HOST and COOKIE are replaced."""

    def send(client: Client) -> Answer:
        data = text if isinstance(text, bytes) else text.encode("latin-1")
        filled = data.replace(b"HOST", client.host.encode())
        return client.send(filled.replace(b"COOKIE", client.cookie.encode()))

    return send


def post(headers: str, body: str) -> Attack:
    return raw(f"{POST}\r\n{headers}\r\n\r\n{body}")


def get(headers: str, body: str = "") -> Attack:
    return raw(f"GET /api/state HTTP/1.1\r\n{HEAD}{headers}\r\n\r\n{body}")


def upload(data: bytes, name: str = "x.png") -> Attack:
    return lambda client: client.upload(data, name)


def form(kind: str, body: bytes) -> Attack:
    return lambda client: client.request("POST", "/api/photos", body, {"Content-Type": kind})


def path(target: str) -> Attack:
    return lambda client: client.get(target)


def value(target: str, text: bytes, kind: str = "application/json") -> Attack:
    return lambda client: client.request("POST", target, text, {"Content-Type": kind})


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(kind: bytes, data: bytes) -> bytes:
    """Return a PNG file of one pixel with a further chunk."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG")
    plain = buffer.getvalue()
    return plain[:33] + png_chunk(kind, data) + plain[33:]


def tiff_of(width: int, height: int) -> bytes:
    """Return a TIFF file of one compressed strip that claims to be large."""
    data = zlib.compress(b"\0" * 4096)
    entries = [(256, width), (257, height), (258, 8), (259, 8), (262, 1), (273, 200), (277, 1)]
    entries += [(278, height), (279, len(data))]
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, number) for tag, number in entries)
    start = struct.pack("<4sIH", b"II*\0", 8, len(entries)) + fields + b"\0\0\0\0"
    return start.ljust(200, b"\0") + data


BOMB = zlib.compress(b"\0" * (96 << 20), 9)
"""96 MiB in 100 kB."""

GIF = struct.pack("<6sHHBBB", b"GIF89a", 65535, 65535, 0, 0, 0)
JPEG = b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\1\x03\x11\1\xff\xd9"
BMP = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 64, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6)
WEBP = b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0" + b"\0" * 4 + b"\xff" * 6 + b"\0" * 8

UNUSUAL_TRAVERSALS = (
    "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd", "..%255c..%255cetc%255cpasswd",
    "%uff0e%uff0e/etc/passwd", "%ef%bc%8e%ef%bc%8e%ef%bc%8fetc", "..;/..;/etc/passwd",
    "%2e%2e%3b/etc/passwd", "%e2%80%ae..", "~root", "x" * 1100,
)  # fmt: skip
IDS = (
    "/api/photos/{}.jpg", "/api/jobs/{}", "/api/jobs/{}/events", "/api/jobs/{}/files/{}",
    "/static/{}", "/data/{}", "/media/{}", "/layer/{}", "/map/{}", "/{}",
)  # fmt: skip

ATTACKS: dict[str, Attack] = {
    # Framing: one request that two programs read as two
    "length and chunks": post(f"Content-Length: {len(JOB)}\r\nTransfer-Encoding: chunked", CHUNKS),
    "length 0 and chunks": post("Content-Length: 0\r\nTransfer-Encoding: chunked", CHUNKS),
    "length and a hidden request": post(
        "Content-Length: 0\r\nTransfer-Encoding: chunked", f"0\r\n\r\n{HIDDEN}"
    ),
    "two lengths": post(f"Content-Length: {len(JOB)}\r\nContent-Length: 3", JOB),
    "list of lengths": post(f"Content-Length: {len(JOB)}, 3", JOB),
    "length with a sign": post(f"Content-Length: +{len(JOB)}", JOB),
    "length in hexadecimal": post(f"Content-Length: 0x{len(JOB):x}", JOB),
    "length with a space before the colon": post(f"Content-Length : {len(JOB)}", JOB),
    "chunked twice": post("Transfer-Encoding: chunked, chunked", CHUNKS),
    "chunked and identity": post("Transfer-Encoding: chunked, identity", CHUNKS),
    "chunked with a tab": post("Transfer-Encoding: \x0bchunked", CHUNKS),
    "compressed chunks": post("Transfer-Encoding: gzip, chunked", CHUNKS),
    "chunk of a negative size": post("Transfer-Encoding: chunked", "-1\r\nx\r\n0\r\n\r\n"),
    "chunk of a huge size": post("Transfer-Encoding: chunked", "FFFFFFFFFFFFFFFFFFFFF\r\nx"),
    "chunk without a size": post("Transfer-Encoding: chunked", "\r\nx\r\n0\r\n\r\n"),
    "chunks in a GET": get("Transfer-Encoding: chunked", f"0\r\n\r\n{HIDDEN}"),
    "hidden request in a GET": get(f"Content-Length: {len(HIDDEN)}", HIDDEN),
    "null byte in a header": get("X: a\0b"),
    "header without a colon": get("GET /api/state HTTP/1.1"),
    "carriage return in a header": get("X: a\rHost: evil.example"),
    "tunnel": raw("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n"),
    "version 0.9": raw("GET /api/state\r\n"),
    "version 1.0 without a host": raw("GET /api/state HTTP/1.0\r\nCookie: COOKIE\r\n\r\n"),
    "version 2": raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64),
    "address with user information": raw(f"GET http://HOST@evil.example/ HTTP/1.1\r\n{HEAD}\r\n"),
    "asterisk": raw(f"OPTIONS * HTTP/1.1\r\n{HEAD}\r\n"),
    "many headers": get("".join(f"X{i}: {'y' * 100}\r\n" for i in range(400)) + "Z: z"),
    "methods in lower case": raw(f"get /api/state HTTP/1.1\r\n{HEAD}\r\n"),
    "other method in a header": lambda c: c.request(
        "GET", "/api/jobs", headers={"X-HTTP-Method-Override": "POST"}
    ),
    # Upgrades and sites
    "WebSocket of another site": get(
        "Origin: http://evil.example\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    ),
    "upgrade to HTTP/2 without a session": lambda c: c.get(
        "/api/state", Cookie=None, Upgrade="h2c", **{"HTTP2-Settings": "AAMAAABkAAQAAP__"}
    ),
    "page of the same site": lambda c: c.request(
        "GET", "/api/state", headers={"Sec-Fetch-Site": "same-site"}
    ),
    "host in another notation": lambda c: c.get(
        "/api/state", Host=c.host.replace("127.0.0.1", "2130706433")
    ),
    "short host": lambda c: c.get("/api/state", Host=c.host.replace("127.0.0.1", "127.1")),
    "host of IPv6": lambda c: c.get("/api/state", Host=c.host.replace("127.0.0.1", "[::1]")),
    "two origins": lambda c: post(
        f"Origin: http://evil.example\r\nContent-Length: {len(JOB)}", JOB
    )(c),
    "list of origins": lambda c: c.post("/api/jobs", {}, Origin=f"{c.origin} http://evil.example"),
    "link by HEAD": lambda c: c.request("HEAD", "/launch?token=x", headers={"Cookie": None}),
    "computing by HEAD": lambda c: c.request("HEAD", "/api/jobs"),
    # Kinds of bodies
    "two content types": post(f"Content-Type: text/plain\r\nContent-Length: {len(JOB)}", JOB),
    "list of content types": value("/api/jobs", JOB.encode(), "application/json, text/plain"),
    "JSON in UTF-16": value("/api/jobs", JOB.encode("utf-16"), "application/json; charset=utf-16"),
    "JSON in UTF-7": value("/api/jobs", b"+AHsAIg-", "application/json; charset=utf-7"),
    "compressed JSON": lambda c: c.request(
        "POST", "/api/jobs", BOMB, {"Content-Encoding": "deflate"}
    ),
    "JSON with a byte-order mark": value("/api/jobs", b"\xef\xbb\xbf" + JOB.encode()),
    "JSON with a name twice": value("/api/jobs", b'{"model":0,"task":"model","task":"pages"}'),
    "task of the server": value("/api/jobs", b'{"model":0,"task":"pages","arguments":{}}'),
    "name of a prototype": value("/api/rows", b'{"row":1,"__proto__":{"row":2}}'),
    "half of a character": value("/api/notes", rb'{"layer":"x","unit":0,"label":"\ud800"}'),
    "form as JSON": value("/api/photos", JOB.encode()),
    "JSON as a form": value("/api/jobs", multipart(b"x")[1], "multipart/form-data; boundary=XX"),
    "mixed form": form("multipart/mixed; boundary=XX", multipart(b"x")[1]),
    "form with an endless boundary": form(f"multipart/form-data; boundary={'X' * 9000}", b""),
    "form with an empty boundary": form("multipart/form-data; boundary=", multipart(b"x")[1]),
    "form with an endless header": form(
        "multipart/form-data; boundary=XX", b"--XX\r\nX: " + b"y" * (1 << 20)
    ),
    "form with a header for the file name": form(
        "multipart/form-data; boundary=XX", multipart(b"x", 'a"\r\nX: y\r\n\r\nz')[1]
    ),
    "form in a form": form(
        "multipart/form-data; boundary=XX",
        b"--XX\r\nContent-Type: multipart/form-data; boundary=YY\r\n\r\n"
        b"--YY\r\n\r\n--YY--\r\n--XX--\r\n",
    ),
    # Files
    "PNG with a text bomb": upload(png_with(b"zTXt", b"Comment\0\0" + BOMB)),
    "PNG with a bomb in the colour profile": upload(png_with(b"iCCP", b"p\0\0" + BOMB)),
    "PNG whose pixels are a bomb": upload(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0))
        + png_chunk(b"IDAT", BOMB)
    ),
    "TIFF of 3.6 gigapixels": upload(tiff_of(60_000, 60_000), "x.tif"),
    "TIFF of a small strip": upload(tiff_of(5_000, 5_000), "x.tif"),
    "TIFF whose directory is a circle": upload(struct.pack("<4sIHI", b"II*\0", 8, 0, 8), "x.tif"),
    "GIF of 4 gigapixels": upload(GIF + b"\x2c" + GIF[4:12] + b"\0\x02\0;", "x.gif"),
    "JPEG of 4 gigapixels": upload(JPEG, "x.jpg"),
    "BMP of 3.6 gigapixels": upload(BMP, "x.bmp"),
    "WebP of 281 terapixels": upload(WEBP, "x.webp"),
    "PostScript": upload(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run", "x.eps"),
    "PDF": upload(b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>", "x.pdf"),
    "archive": upload(b"PK\x03\x04" + b"\0" * 64, "x.zip"),
    "pickle": upload(b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x02os\x8c\x06system\x93", "x.npy"),
    "array file": upload(b"\x93NUMPY\x01\0v\0{'descr': '|O'}", "x.npy"),
    "script that begins like a GIF": upload(b"GIF89a/*<script>*/=1;alert(1)//", "x.gif"),
    "vector graphic with an entity bomb": upload(
        b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>', "x.svg"
    ),
    **{
        f"{place} with {word[:40]!r}": path(place.format(word, word))
        for place in IDS
        for word in UNUSUAL_TRAVERSALS
    },
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_no_attack_passes(client: Client, attack: Attack) -> None:
    start = time.monotonic()
    answer = attack(client)
    assert answer.status == 0 or 400 <= answer.status < 500
    assert b"HTTP/1.1 2" not in answer.body  # a hidden request was not answered
    assert b"root:" not in answer.body
    assert b"Traceback" not in answer.body
    assert "set-cookie" not in answer.headers
    assert client.get("/api/state").status == 200
    assert time.monotonic() - start < 60  # not a limit of speed: a bomb would take longer


def test_number_of_attacks(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{len(ATTACKS)} attack requests on protocol and files")
    assert len(ATTACKS) >= 40


def test_a_session_has_a_secret_of_the_server(client: Client) -> None:
    """A cookie that another site or server has set does not become a session."""
    name = client.cookie.partition("=")[0]
    planted = f"{name}=planted"
    path = client.server.launch_link().removeprefix(client.origin)
    assert client.request("HEAD", path, headers={"Cookie": None}).status == 401  # a preview
    answer = client.get(path, Cookie=planted)
    assert answer.status == 303  # HEAD has not used the link up
    cookie = answer.headers["set-cookie"]
    assert "planted" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Domain" not in cookie
    assert client.get("/api/state", Cookie=planted).status == 401


def test_a_websocket_is_not_opened(client: Client) -> None:
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AA=="}
    assert client.get("/api/state", **headers).status in (200, 400)


def test_what_follows_a_picture_in_its_file_is_not_served(client: Client) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(buffer, "PNG")
    answer = client.upload(buffer.getvalue() + b"<script>alert(1)</script>", "x.html")
    assert answer.status == 200
    preview = client.get(f"/api/photos/{answer.json['id']}.jpg")
    assert preview.headers["content-type"] == "image/jpeg"
    assert preview.body.startswith(b"\xff\xd8\xff")
    assert b"script" not in preview.body


def test_silent_connections_are_closed(client: Client) -> None:
    place = ("127.0.0.1", client.server.address.port)
    connections = [socket.create_connection(place, timeout=30) for _ in range(160)]
    assert [connection.recv(1) for connection in connections] == [b""] * 160
    for connection in connections:
        connection.close()
    assert client.get("/api/state").status == 200


def test_connections_that_follow_a_job_are_bounded(client: Client, photo: str) -> None:
    arguments = {"photo": photo, "explainer": "rise", "parameters": {"masks": "1000000"}}
    job = client.post("/api/jobs", {"model": 1, "task": "explain", "arguments": arguments}).json
    request = (
        f"GET /api/jobs/{job['id']}/events HTTP/1.1\r\nHost: {client.host}\r\n"
        f"Cookie: {client.cookie}\r\n\r\n"
    ).encode()
    place = ("127.0.0.1", client.server.address.port)
    connections = [socket.create_connection(place, timeout=60) for _ in range(40)]
    for connection in connections:
        connection.sendall(request)
    statuses = [connection.recv(12)[-3:] for connection in connections]
    assert statuses.count(b"200") == 32
    assert statuses.count(b"429") == 8
    client.post(f"/api/jobs/{job['id']}/cancel", {})
    for connection in connections:
        while connection.recv(1 << 16):  # up to the end of the job
            pass
        connection.close()
    events = client.get(f"/api/jobs/{job['id']}/events")
    assert events.status == 200
    assert json.loads(events.body.decode().rpartition("data: ")[2].splitlines()[0])["status"]
