"""Requests of other sites, of other programs, and of pages that have been tampered with."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable

import pytest
from helpers.web_client import Answer, Client, multipart

Attack = Callable[[Client], Answer]

SECRET = b"root:"
"""The beginning of /etc/passwd."""

JOB = {"model": 0, "task": "model", "arguments": {}}


def png_bomb(width: int, height: int) -> bytes:
    """Return a small PNG file that claims to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 4096)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def host(value: str | None) -> Attack:
    return lambda client: client.get("/api/state", Host=value)


def origin(value: str | None, path: str = "/api/jobs") -> Attack:
    return lambda client: client.post(path, JOB, Origin=value)


def cookie(value: str) -> Attack:
    return lambda client: client.get("/api/state", Cookie=value)


def path(target: str) -> Attack:
    return lambda client: client.get(target)


def header(name: str, value: str) -> Attack:
    return lambda client: client.request("GET", "/api/state", headers={name: value})


def method(name: str) -> Attack:
    return lambda client: client.request(name, "/api/state")


def job(task: str, **arguments: object) -> Attack:
    return lambda client: client.post(
        "/api/jobs", {"model": 0, "task": task, "arguments": arguments}
    )


def raw_post(target: str, body: bytes, **headers: str | None) -> Attack:
    return lambda client: client.request("POST", target, body, headers)


def form(body: bytes, kind: str = "multipart/form-data; boundary=XX") -> Attack:
    return raw_post("/api/photos", body, **{"Content-Type": kind})


def raw(text: str) -> Attack:
    """Send a request as it is; HOST and COOKIE are replaced."""

    def send(client: Client) -> Answer:
        filled = text.replace("HOST", client.host).replace("COOKIE", client.cookie)
        return client.send(filled.encode("latin-1"))

    return send


def slow(head: str, *rest: bytes) -> Attack:
    """Send the head of a request and then nothing, or too little."""

    def send(client: Client) -> Answer:
        filled = head.replace("HOST", client.host).replace("COOKIE", client.cookie)
        return client.send(filled.encode("latin-1"), *rest, pause=0.3)

    return send


def forged_link(client: Client) -> Answer:
    return client.get("/launch?token=" + "A" * 43, Cookie=None)


def used_link(client: Client) -> Answer:
    target = client.server.launch_link().removeprefix(client.origin)
    assert client.get(target, Cookie=None).status == 303
    return client.get(target, Cookie=None)


def earlier_link(client: Client) -> Answer:
    target = client.server.launch_link().removeprefix(client.origin)
    client.server.launch_link()
    return client.get(target, Cookie=None)


def two_tokens(client: Client) -> Answer:
    target = client.server.launch_link().removeprefix(client.origin)
    return client.get(f"{target}&token=x", Cookie=None)


def link_of_another_host(client: Client) -> Answer:
    target = client.server.launch_link().removeprefix(client.origin)
    return client.get(target, Cookie=None, Host="evil.example")


CHUNKED = (
    "POST /api/jobs HTTP/1.1\r\nHost: HOST\r\nCookie: COOKIE\r\nOrigin: http://HOST\r\n"
    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
START = "GET /api/state HTTP/1.1\r\nHost: HOST\r\n"
TRAVERSALS = ("../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd",
              "....//etc/passwd", "..\\..\\etc\\passwd", "/etc/passwd", "%00", "a%0d%0aX: y",
              "%252e%252e%252fetc%252fpasswd")  # fmt: skip
IDS = (
    "/api/photos/{}.jpg", "/api/jobs/{}", "/api/jobs/{}/events", "/api/jobs/{}/files/photo.png",
    "/static/{}", "/data/{}", "/media/{}", "/layer/{}", "/map/{}", "/{}",
)  # fmt: skip

ATTACKS: dict[str, Attack] = {
    # Host: DNS rebinding
    "host of another site": host("evil.example"),
    "host of another site with the port": host("evil.example:80"),
    "host without the port": host("127.0.0.1"),
    "host with another port": host("127.0.0.1:1"),
    "host with user information": host("127.0.0.1@evil.example"),
    "host that starts with ours": lambda c: c.get("/api/state", Host=f"{c.host}.evil.example"),
    "host with a path": lambda c: c.get("/api/state", Host=f"{c.host}/x"),
    "host with a dot at the end": host("localhost.:80"),
    "no host": host(None),
    "empty host": host(""),
    "two hosts": raw(f"{START}Host: evil.example\r\nCookie: COOKIE\r\n\r\n"),
    "forwarded host": lambda c: c.request(
        "GET", "/api/state", headers={"Host": "evil.example", "X-Forwarded-Host": c.host}
    ),
    "absolute address": raw(
        "GET http://evil.example/api/state HTTP/1.1\r\nHost: HOST\r\nCookie: COOKIE\r\n\r\n"
    ),
    # Origin: requests of other sites
    "origin of another site": origin("http://evil.example"),
    "origin null": origin("null"),
    "no origin": origin(None),
    "origin with https": lambda c: c.post("/api/jobs", JOB, Origin=f"https://{c.host}"),
    "origin with a path": lambda c: c.post("/api/jobs", JOB, Origin=f"{c.origin}/"),
    "origin of another loopback name": lambda c: c.post(
        "/api/jobs", JOB, Origin=c.origin.replace("127.0.0.1", "localhost")
    ),
    "origin of another port": origin("http://127.0.0.1:1"),
    "origin of another site for an upload": lambda c: c.request(
        "POST",
        "/api/photos",
        multipart(b"x")[1],
        {"Content-Type": "multipart/form-data; boundary=XX", "Origin": "http://evil.example"},
    ),
    "origin of another site for a note": origin("http://evil.example", "/api/notes"),
    "read of another site": lambda c: c.get("/api/state", Origin="http://evil.example"),
    "embedded by another site": lambda c: c.request(
        "GET", "/", headers={"Sec-Fetch-Site": "cross-site"}
    ),
    "preflight": lambda c: c.request(
        "OPTIONS",
        "/api/jobs",
        headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
    ),
    # Sessions
    "no cookie": lambda c: c.get("/api/state", Cookie=None),
    "no cookie for a page": lambda c: c.get("/", Cookie=None),
    "no cookie for a static file": lambda c: c.get("/static/app.js", Cookie=None),
    "wrong cookie": lambda c: cookie(f"{c.cookie.partition('=')[0]}=AAAA")(c),
    "empty cookie": lambda c: cookie(f"{c.cookie.partition('=')[0]}=")(c),
    "cookie of another name": lambda c: cookie(f"other={c.cookie.partition('=')[2]}")(c),
    "two cookies": lambda c: cookie(f"{c.cookie}; {c.cookie.partition('=')[0]}=x")(c),
    "token instead of a cookie": lambda c: c.get(
        "/api/state?token=" + c.cookie.partition("=")[2], Cookie=None
    ),
    "forged link": forged_link,
    "link used twice": used_link,
    "link that a newer one replaces": earlier_link,
    "link with two tokens": two_tokens,
    "link under another host": link_of_another_host,
    "link by POST": lambda c: c.post("/launch?token=x", {}, Cookie=None),
    # Methods, ranges, upgrades
    **{f"method {name}": method(name) for name in ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT")},
    "computing by GET": path("/api/jobs?model=0&task=model"),
    "one range": header("Range", "bytes=0-1"),
    "range bomb": header("Range", "bytes=" + ",".join(f"{i}-{i}" for i in range(900))),
    "overlapping ranges": header("Range", "bytes=0-,0-,0-,0-,0-"),
    # Bodies
    "announced oversize": raw_post("/api/jobs", b"{}", **{"Content-Length": str(1 << 40)}),
    "announced oversize upload": raw_post(
        "/api/photos",
        b"x",
        **{"Content-Type": "multipart/form-data; boundary=XX", "Content-Length": str(1 << 40)},
    ),
    "oversize JSON": lambda c: c.post("/api/notes", {"x": "y" * (300 << 10)}),
    "oversize in chunks": lambda c: raw(
        CHUNKED
        + "10000\r\n"
        + "x" * 0x10000
        + "\r\n" * 1
        + ("10000\r\n" + "x" * 0x10000 + "\r\n") * 5
    )(c),
    "negative length": raw_post("/api/jobs", b"", **{"Content-Length": "-1"}),
    "body with a GET": lambda c: c.request(
        "GET", "/api/state", b"x" * 10, {"Content-Length": "10"}
    ),
    "slow headers": slow(START, *[b"X: y\r\n"] * 6),
    "no request": slow("", *[b""] * 5),
    "slow body": slow(CHUNKED, b"2\r\n{ \r\n", *[b"1\r\n \r\n"] * 6),
    "endless header": raw(START + "X: " + "y" * (64 << 10) + "\r\n\r\n"),
    "form in place of JSON": raw_post(
        "/api/jobs", b'{"model":0,"task":"model"}', **{"Content-Type": "text/plain"}
    ),
    "no content type": raw_post("/api/jobs", b"{}", **{"Content-Type": None}),
    "not JSON": raw_post("/api/jobs", b"{'model': 0}"),
    "not UTF-8": raw_post("/api/jobs", b"\xff\xfe"),
    "NaN": raw_post("/api/rows", b'{"row": NaN}'),
    "deep JSON": raw_post("/api/jobs", b"[" * 100_000),
    "huge number": raw_post("/api/rows", b'{"row": ' + b"9" * 5000 + b"}"),
    "negative row": raw_post("/api/rows", b'{"row": -1}'),
    "row beyond the run": raw_post("/api/rows", b'{"row": 12}'),
    "row as text": raw_post("/api/rows", b'{"row": "../../etc/passwd"}'),
    # Uploads
    "form without a boundary": form(b"x", "multipart/form-data"),
    "form that ends early": form(b'--XX\r\nContent-Disposition: form-data; name="photo"; fi'),
    "form of another boundary": form(b"--YY\r\n\r\n\r\n--YY--\r\n"),
    "form without a file": form(multipart(b"x", field="other")[1]),
    "form with two files": form(
        multipart(b"x")[1].replace(b"--XX--\r\n", b"") + multipart(b"y")[1]
    ),
    "form with many fields": form(
        b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 200 + b"--XX--\r\n"
    ),
    "text as a photo": lambda c: c.upload(b"#!/bin/sh\necho pwned\n"),
    "page as a photo": lambda c: c.upload(b"<script>alert(1)</script>", "x.html"),
    "vector graphic as a photo": lambda c: c.upload(b"<svg onload='alert(1)'/>", "x.svg"),
    "empty photo": lambda c: c.upload(b""),
    "pixel bomb": lambda c: c.upload(png_bomb(60_000, 60_000)),
    "cut photo": lambda c: c.upload(png_bomb(64, 64)),
    "oversize photo": lambda c: c.upload(b"\x89PNG\r\n\x1a\n" + b"x" * (33 << 20)),
    # Arguments
    "unknown model": raw_post("/api/jobs", b'{"model": 7, "task": "model"}'),
    "model by name": raw_post("/api/jobs", b'{"model": "/etc/passwd", "task": "model"}'),
    "unknown task": job("__import__('os').system('id')"),
    "further argument": job("model", source="/etc/passwd"),
    "photo by path": job("predict", photo="/etc/passwd"),
    "unknown photo": job("predict", photo="AAAAAAAAAAAAAAAA"),
    "parameter with a bad name": job("explain", explainer="saliency", parameters={"../x": "1"}),
    "rectangle with five numbers": job("cover", photo="A", box=[0, 0, 1, 1, 1]),
    "format of a program": job("draw", result="A", format="ps; id"),
    "guided gradients without a layer": job("guided_patches", unit=0),
    "guided gradients of a long layer": job("guided_patches", layer="x" * 401, unit=0),
    "guided gradients of a path as a unit": job(
        "guided_patches", layer="stage3.relu", unit="../../etc/passwd"
    ),
    "guided gradients of a negative unit": job("guided_patches", layer="stage3.relu", unit=-1),
    "guided gradients of a huge unit": job("guided_patches", layer="stage3.relu", unit=10**9),
    "guided gradients of several units": job("guided_patches", layer="stage3.relu", unit=[0, 1]),
    "guided gradients of other photos": job(
        "guided_patches", layer="stage3.relu", unit=0, photos="/etc"
    ),
    "guided gradients of another run": job(
        "guided_patches", layer="stage3.relu", unit=0, run="/tmp/run"
    ),
    "guided gradients of another explainer": job(
        "guided_patches", layer="stage3.relu", unit=0, explainer="neighbors"
    ),
    "note on a long layer": lambda c: c.post("/api/notes", {"layer": "x" * 9999, "unit": 0}),
    **{
        f"{place.format('…')} with {word!r}": path(place.format(word))
        for place in IDS
        for word in TRAVERSALS
    },
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_no_attack_passes(client: Client, attack: Attack) -> None:
    lines = len(client.lines)
    answer = attack(client)
    assert answer.status == 0 or 400 <= answer.status < 500
    assert SECRET not in answer.body
    assert b"Traceback" not in answer.body
    assert "set-cookie" not in answer.headers
    assert not any(name.startswith("access-control") for name in answer.headers)
    if answer.status and b"Invalid HTTP request" not in answer.body:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert len(client.lines) <= lines + 1
    assert client.get("/api/state").status == 200  # the server and the session still work


def test_number_of_attacks() -> None:
    print(f"{len(ATTACKS)} attack requests")
    assert len(ATTACKS) >= 40


PATHS = (
    "/etc/passwd", "../../etc/passwd", "~/.ssh/id_rsa", "file:///etc/passwd",
    "http://evil.example/x.pt", "s3://bucket/run", "\\\\evil\\share", "flat,/etc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("text", PATHS)
def test_parameters_open_no_paths(client: Client, photo: str, text: str) -> None:
    for explainer, field in (
        ("neighbors", "index"),
        ("activations", "statistics"),
        ("grabcut", "reference"),
        ("saliency", "layer"),
    ):
        job = client.run_task("explain", photo=photo, explainer=explainer, parameters={field: text})
        assert job["status"] == "failed", (explainer, field)
        assert "not opened from a page" in job["error"]


@pytest.mark.parametrize("text", [*PATHS, *TRAVERSALS, "../stage3.relu", "stage3.relu\0"])
def test_layers_are_names_of_the_run_and_no_paths(client: Client, text: str) -> None:
    job = client.run_task("guided_patches", layer=text, unit=0)
    assert job["status"] == "failed"
    assert job["error"].startswith("unknown layer")
    assert not job["files"]


def test_targets_import_nothing(client: Client, photo: str) -> None:
    job = client.run_task("explain", photo=photo, explainer="saliency", target="python:os:getcwd")
    assert job["status"] == "failed"
    assert "python:os:getcwd" in job["error"]


def test_results_that_could_run_are_downloads(client: Client, photo: str) -> None:
    explained = client.run_task("explain", photo=photo, explainer="occlusion")
    drawn = client.run_task("draw", result=explained["result"]["result"], format="svg")
    [address] = drawn["files"].values()
    answer = client.get(address)
    assert answer.status == 200
    assert answer.body.startswith(b"<?xml")
    assert answer.headers["content-disposition"] == "attachment"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_names_are_data(client: Client) -> None:
    """A hostile file name comes back as one printable line of JSON, and is never a path."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(buffer, "PNG")
    name = "<img src=x onerror=alert(1)>../../x\u202e.png"
    answer = client.upload(buffer.getvalue(), name)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    shown = answer.json["name"]
    assert shown.isprintable()
    assert "/" not in answer.json["id"]
    assert json.dumps(shown)
